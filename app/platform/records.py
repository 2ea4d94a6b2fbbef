"""The staff's own log, and how the platform's parts do."""

from datetime import UTC, datetime
from uuid import UUID

from flask import Blueprint, render_template, request, url_for

from app.db import staff as directory
from app.db.units import Doorway
from app.platform.routing import staff_page
from app.serving.health import parts

blueprint = Blueprint("records", __name__)
SIZE = 50


@staff_page(blueprint, "/log")
def log(door: Doorway) -> str:
    """List what staff did, newest first."""
    rows = directory.log(door.session, before=_before(), most=SIZE + 1)
    older = None
    if len(rows) > SIZE:
        rows = rows[:SIZE]
        older = url_for("records.log", before=rows[-1].at.isoformat(), before_id=rows[-1].id)
    return render_template("platform/log.html", rows=rows, older=older, newest=bool(request.args.get("before")))


@staff_page(blueprint, "/state")
def state(door: Doorway) -> str:
    """Show which parts answer and what waits to be done."""
    return render_template(
        "platform/state.html",
        parts=parts(),
        backlog=directory.backlog(door.session),
        now=datetime.now(UTC),
        members=directory.list_staff(door.session),
    )


def _before() -> tuple[datetime, UUID] | None:
    try:
        at = datetime.fromisoformat(request.args["before"])
        return at if at.tzinfo else at.replace(tzinfo=UTC), UUID(request.args["before_id"])
    except (KeyError, ValueError):
        return None
