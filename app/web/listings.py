"""What every list shares: its filters from the URL, and the addresses of its pages."""

from collections.abc import Sequence
from typing import Any, Literal, overload
from uuid import UUID

from flask import request, url_for

from app.core.errors import MalformedRequest
from app.core.ids import parse_id
from app.services.pages import Page

ROWS = 40  # on a page, which stays under 60 KB


@overload
def id_given(name: str) -> UUID | None: ...
@overload
def id_given(name: str, *, required: Literal[True]) -> UUID: ...
def id_given(name: str, *, required: bool = False) -> UUID | None:
    """Return the id that the query or the form gives under `name`. Raises MalformedRequest for anything else."""
    text = request.values.get(name) or None
    if text is None and not required:
        return None
    value = parse_id(text or "")
    if value is None:
        raise MalformedRequest(f"{name} must be an id.")
    return value


def listing(rows: Sequence[object], page: Page[Any], filters: Sequence[str]) -> dict[str, object]:
    """Return what a list's template needs: rows, count, filters as given, the ways to older rows and to the newest."""
    given = {name: request.args.get(name) or None for name in filters}
    kept: dict[str, Any] = {name: value for name, value in given.items() if value}
    here = request.endpoint or ""
    return {
        "rows": rows,
        "count": page.count,
        "filters": given,
        "filtered": bool(kept),
        "older": url_for(here, **kept, after=page.next_cursor) if page.next_cursor else None,
        "newest": url_for(here, **kept) if request.args.get("after") else None,
    }
