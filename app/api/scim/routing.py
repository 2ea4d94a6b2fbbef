"""Routes of SCIM: a bearer token instead of a key, SCIM's media type and errors, one unit of work for each."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, Response, g, request
from pydantic import ValidationError
from scim2_models import Error, PreconditionFailedException, SCIMException

from app.api.scim.schemas import POLICY
from app.api.shapes import read_id
from app.core.errors import AppError, MalformedRequest, Unauthenticated, UnsupportedMediaType
from app.core.permissions import Permission
from app.db.units import Unit
from app.services.access import require
from app.services.scim_tokens import by_scim_token, find_scim_token
from app.serving.limits import limit_call
from app.serving.requests import origin
from app.serving.runtimes import runtime

PREFIX = "/scim/v2"
MEDIA = "application/scim+json"
ACCEPTED = frozenset({MEDIA, "application/json"})
View = TypeVar("View", bound=Callable[..., Response])

blueprint = Blueprint("scim", __name__, url_prefix=PREFIX)


def scim_resource(method: str, rule: str, permission: Permission) -> Callable[[View], View]:
    """Serve `method` on `rule` (beneath /scim/v2) to whoever holds a SCIM token; the view gets the unit first.

    The unit is committed when the view answers below 400, and rolled back otherwise.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def serve(**ids: str) -> Response:
            with scim_problems():
                return _serve(view, permission, ids)

        serve.permission = permission  # type: ignore[attr-defined]
        serve.scim = True  # type: ignore[attr-defined]
        blueprint.add_url_rule(rule, view.__name__, serve, methods=[method], provide_automatic_options=False)
        return view

    return decorate


def _serve(view: Callable[..., Response], permission: Permission, ids: Mapping[str, str]) -> Response:
    secret = bearer()
    with runtime().units.identify() as door, POLICY:
        found = find_scim_token(door, secret, peppers=runtime().peppers, origin=origin())
        g.denied_entry = found.entry
        unit: Unit = by_scim_token(door, found, secret, pepper=runtime().pepper)
        g.actor, g.tenant_id = unit.actor, unit.tenant_id
        limit_call(unit)
        require(unit, permission)
        response = view(unit, **{name: read_id(text) for name, text in ids.items()})
        if response.status_code < 400:
            unit.commit()
        return response


@contextmanager
def scim_problems() -> Iterator[None]:
    """Turn what scim2-models objects to into errors of ours, which are answered in SCIM's form."""
    try:
        yield
    except SCIMException as error:
        raise _problem(error.to_error()) from error
    except ValidationError as error:
        raise _problem(Error.from_validation_errors(error)[0]) from error


def _problem(found: Error) -> AppError:
    problem = AppError(found.detail or "", extra={"scimType": found.scim_type} if found.scim_type else {})
    problem.status = found.status or 400
    return problem


def bearer() -> str:
    """Return the token that the request carries. Raises Unauthenticated."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Send the SCIM token as Authorization: Bearer.")
    return token.strip()


def body() -> Any:
    """Return the JSON that was sent. Raises UnsupportedMediaType or MalformedRequest."""
    if request.mimetype not in ACCEPTED:
        raise UnsupportedMediaType(f"Send {MEDIA}.")
    given = request.get_json(force=True, silent=True)
    if not isinstance(given, dict):
        raise MalformedRequest("The body is no JSON object.", extra={"scimType": "invalidSyntax"})
    return given


def answer(told: Mapping[str, Any], status: int = 200, *, version: str | None = None) -> Response:
    """Return a SCIM answer; `version` is the ETag of what it tells."""
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    response = Response(text, status, mimetype=MEDIA)
    if version is not None:
        response.headers["ETag"] = version
    return response


def nothing() -> Response:
    """Return an answer without a body."""
    response = Response(status=204, mimetype=MEDIA)
    del response.headers["Content-Type"]
    return response


def require_version(version: str) -> None:
    """Return if the request was made for this version, or for any. Raises PreconditionFailedException."""
    wanted = request.headers.get("If-Match")
    if wanted is not None and wanted.strip() != "*" and version not in _tags(wanted):
        raise PreconditionFailedException(detail="It has changed since. Read it again.")


def unchanged(version: str) -> bool:
    """Tell whether whoever asks has this version already."""
    return version in _tags(request.headers.get("If-None-Match", ""))


def _tags(text: str) -> set[str]:
    return {part.strip() for part in text.split(",")}


def location_of(kind: str, which: object) -> str:
    """Return the whole address of a resource."""
    return f"{runtime().settings.base_url}{PREFIX}/{kind}/{which}"
