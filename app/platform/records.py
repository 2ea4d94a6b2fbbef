"""The staff's own log, and how the platform's parts do."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, render_template, request, stream_with_context, url_for

from app.core.clock import start_of
from app.db import oversight
from app.db import staff as directory
from app.db.oversight import EventSearch
from app.db.units import Doorway
from app.platform.pages import moment, page
from app.platform.routing import member, staff_page
from app.services import checkups, staff
from app.services.spreadsheets import csv_of
from app.serving.probes import probe_servers
from app.serving.requests import origin
from app.serving.runtimes import runtime

blueprint = Blueprint("records", __name__)
AT_ONCE = 1000
COLUMNS = ("at", "staff_label", "action", "tenant_id", "slug", "reason", "address", "done_at", "last_error", "id")


@staff_page(blueprint, "/log")
def log(door: Doorway) -> str:
    """List what staff did, newest first."""
    wanted, filters = _wanted(request.args)
    read = partial(oversight.log, door.session, wanted, before=moment("before"))
    rows, older = page(read, "records.log", "before", lambda row: (row.at, row.id), **filters)
    return render_template(
        "platform/log.html",
        rows=rows,
        older=older,
        newest=url_for("records.log", **filters) if request.args.get("before") else None,
        filters=filters,
        actions=[(action, action) for action in oversight.actions(door.session)],
    )


@staff_page(blueprint, "/log.csv")
def table(door: Doorway) -> Response:
    """Send what the filters choose as a file, newest first; that it was sent is on record."""
    wanted, filters = _wanted(request.args)
    staff.note_export(door, member(), filters, origin=origin())
    answer = Response(stream_with_context(_table(wanted)), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="staff-log-{datetime.now(UTC):%Y%m%d}.csv"'
    return answer


def _table(wanted: EventSearch) -> Iterator[bytes]:
    """Read a thousand at a time, each in a transaction of its own, so that a slow reader holds nothing open."""
    yield csv_of([COLUMNS])
    before = None
    while True:
        with runtime().units.identify() as door:
            rows = oversight.log(door.session, wanted, before=before, most=AT_ONCE)
        yield csv_of([getattr(row, name) for name in COLUMNS] for row in rows)
        if len(rows) < AT_ONCE:
            return
        before = rows[-1].at, rows[-1].id


@staff_page(blueprint, "/state")
def state(door: Doorway) -> str:
    """Show which parts answer, what waits, what fails and what stands still."""
    found = checkups.check_up(door.session)
    members = directory.list_staff(door.session)
    door.commit()  # the connection goes back before we wait for other servers
    servers = probe_servers(runtime().settings, runtime().graph)
    return render_template("platform/state.html", found=found, servers=servers, members=members)


def _wanted(given: Mapping[str, str]) -> tuple[EventSearch, dict[str, Any]]:
    """Return what the address asks for, and the same as the parts of an address; `until` is included."""
    who, action = (given.get(name, "").replace("\0", "").strip()[:200] for name in ("who", "action"))
    tenant_id, since, until = _id(given.get("tenant", "")), _day(given.get("since", "")), _day(given.get("until", ""))
    filters = {"who": who, "action": action, "tenant": tenant_id, "since": since, "until": until}
    wanted = EventSearch(tenant_id, who, action, _midnight(since), _midnight(until and until + timedelta(days=1)))
    return wanted, {name: str(value) for name, value in filters.items() if value}


def _id(typed: str) -> UUID | None:
    try:
        return UUID(typed.strip())
    except ValueError:
        return None


def _day(typed: str) -> date | None:
    try:
        found = date.fromisoformat(typed)
    except ValueError:
        return None
    return found if found.year < 9999 else None


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else start_of(day)
