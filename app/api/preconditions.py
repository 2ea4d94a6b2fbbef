"""If-Match: an update of what was changed meanwhile is refused. Nobody must send it; what is sent is honoured."""

from collections.abc import Callable, Mapping
from uuid import UUID

from flask import request
from pydantic import BaseModel
from werkzeug.http import generate_etag

from app.core.errors import PreconditionFailed
from app.db.units import Unit
from app.models.tables import Identified
from app.models.tenants import Tenant
from app.services import versions


def require_match(
    unit: Unit,
    current: Callable[..., BaseModel],
    table: type[Identified] | type[Tenant] | None,
    ids: Mapping[str, UUID],
) -> None:
    """Return if the thing stands as If-Match says, or if nothing is said.

    `current` is the view that shows it, `table` the row that is held from now on, so that nobody changes it in between.
    Raises PreconditionFailed, and NotFound as `current` does.
    """
    if "If-Match" not in request.headers:
        return
    if table is not None:
        versions.hold(unit, table, next(iter(ids.values()), unit.tenant_id))
    if not request.if_match.contains(generate_etag(current(unit, **ids).model_dump_json().encode())):
        raise PreconditionFailed("It was changed since you read it. Read it again, then decide.")
