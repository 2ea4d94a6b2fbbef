"""Long lists of the console: thirty rows a page, and in the address of the next one the place where it begins."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from flask import request, url_for

SIZE = 30
Row = TypeVar("Row")


def page(
    read: Callable[..., list[Row]],
    endpoint: str,
    word: str,
    place: Callable[[Row], tuple[str | datetime, UUID]],
    **filters: Any,
) -> tuple[list[Row], str | None]:
    """Return a page's rows, and the address of the next page, None after the last; `read` is told the `most` to read.

    `word` says in the address on which side of the place of the last row the next one is: before or after.
    """
    rows = read(most=SIZE + 1)
    if len(rows) <= SIZE:
        return rows, None
    at, last_id = place(rows[SIZE - 1])
    where: dict[str, Any] = {word: at.isoformat() if isinstance(at, datetime) else at, f"{word}_id": last_id}
    return rows[:SIZE], url_for(endpoint, **filters, **where)


def moment(word: str) -> tuple[datetime, UUID] | None:
    """Return the place that the address names by a moment, in UTC where it names no zone; None without a good one."""
    try:
        at = datetime.fromisoformat(request.args[word])
        return at if at.tzinfo else at.replace(tzinfo=UTC), UUID(request.args[f"{word}_id"])
    except (KeyError, ValueError):
        return None
