"""What the staff's commands share: the platform's login, orders that are waited for, tables, JSON and CSV."""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar
from uuid import UUID

import click

from app.core.errors import AppError, Unavailable
from app.core.settings import settings
from app.db import oversight
from app.db.opening import open_doorway
from app.db.oversight import EventSearch
from app.db.units import Doorway
from app.services import staff
from app.services.accounts import Origin
from app.services.spreadsheets import csv_of
from app.services.staff import NotStaff, Wish

HERE = Origin(None, "command line", None)
PATIENCE = 30.0
PAUSE = 0.25
Command = TypeVar("Command", bound=Callable[..., Any])

who_and_why = (
    click.option("--as", "who", required=True, help="Your address: a member of staff's."),
    click.option("--reason", required=True, help="Why; it stands in the logs."),
)
json_too = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


@contextmanager
def door() -> Iterator[Doorway]:
    """Open the directory with the platform's login; an error of a service is told, and ends the command.

    In one line, or in JSON where the command was asked for JSON; with status 2 where --as names nobody who is staff,
    else with 1.
    """
    given = settings()
    if given.database_platform_url is None:
        fail(Unavailable("DATABASE_PLATFORM_URL is not set: staff commands run with the platform's login"))
    url = given.database_platform_url.get_secret_value()
    try:
        with open_doorway(given, url, application="sentinel staff command") as opened:
            yield opened
    except AppError as error:
        fail(error)


def fail(error: AppError) -> NoReturn:
    """Tell what is wrong, and end the command."""
    if click.get_current_context().params.get("as_json"):
        problems = [{"field": name, "detail": what} for name, what in error.fields.items()]
        click.echo(json.dumps({"code": error.code, "detail": error.detail, "errors": problems}))
    else:
        told = "; ".join(f"{name}: {what}" for name, what in error.fields.items())
        click.echo(f"Error: {error.detail}" + (f" ({told})" if told else ""), err=True)
    raise SystemExit(2 if isinstance(error, NotStaff) else 1) from error


def named(command: Command) -> Command:
    """Have the command ask who acts and why."""
    for option in who_and_why:
        command = option(command)
    return command


def ordering(command: Command) -> Command:
    """Have the command ask for a tenant, who acts, why, and whether to wait."""
    wait = click.option("--wait/--no-wait", default=True, help="Wait until the worker has carried it out.")
    tenant = click.argument("tenant_id", type=click.UUID)
    return tenant(named(json_too(wait(command))))


def give(who: str, wish: Wish, *, as_json: bool, wait: bool) -> None:
    """Put an order on record, tell how it ends, and leave with 1 where it is refused."""
    with door() as opened:
        order_id = staff.order(opened, staff.named(opened, who), wish, origin=HERE)
        opened.commit()
        outcome = _outcome(opened, wish.tenant_id, order_id) if wait else "on record"
    click.echo(json.dumps({"order": str(order_id), "outcome": outcome}) if as_json else outcome)
    if outcome.startswith("refused"):
        raise SystemExit(1)


def _outcome(opened: Doorway, tenant_id: UUID, order_id: UUID) -> str:
    """Return how the order ended, watching it for half a minute."""
    steps = range(int(PATIENCE / PAUSE))
    with click.progressbar(steps, label="waiting for the worker", file=sys.stderr) as bar:
        for _ in bar:
            recent = oversight.log(opened.session, EventSearch(tenant_id), most=50)
            opened.commit()
            event = next((event for event in recent if event.id == order_id), None)
            if event is not None and not event.waiting:
                return f"refused: {event.last_error}" if event.last_error else "carried out"
            time.sleep(PAUSE)
    return "on record, and not carried out yet: does the worker run?"


def show(rows: Sequence[Any], columns: Sequence[str], *, as_json: bool = False, as_csv: bool = False) -> None:
    """Print dataclasses as a table of `columns`, or all of them that they hold as JSON or CSV."""
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(row) for row in rows], default=str, indent=1))
    elif as_csv:
        names = [field.name for field in dataclasses.fields(rows[0])] if rows else list(columns)
        click.echo(csv_of([names, *([getattr(row, name) for name in names] for row in rows)]), nl=False)
    else:
        lines = [columns, *([_told(getattr(row, name)) for name in columns] for row in rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
        for line in lines:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def tell(facts: Mapping[str, Any]) -> None:
    """Print names and values beneath each other."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name.ljust(width)}  {_told(value)}")


def _told(value: Any) -> str:
    if value is None:
        return "-"
    return value.strftime("%Y-%m-%d %H:%M:%S UTC") if hasattr(value, "strftime") else str(value)
