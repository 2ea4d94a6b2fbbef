"""What staff do by command: `sentinel staff …` and `sentinel tenants …`, with the platform's login."""

import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import click

from app.core.errors import AppError
from app.core.settings import settings
from app.db import staff as directory
from app.db.opening import open_units, refuse_privileged
from app.db.staff import TenantRow, TenantSearch
from app.db.units import Doorway
from app.services import staff as services
from app.services.accounts import Origin
from app.services.lifecycles import PLANS
from app.services.staff import Wish

HERE = Origin(None, "command line", None)
PATIENCE = 30.0
PAUSE = 0.5


@contextmanager
def _door() -> Iterator[Doorway]:
    given = settings()
    if given.database_platform_url is None:
        raise click.ClickException("DATABASE_PLATFORM_URL is not set: staff commands run with the platform's login")
    units = open_units(given, given.database_platform_url.get_secret_value(), application="sentinel staff command")
    try:
        refuse_privileged(units.engines.control)
        with units.identify() as door:
            yield door
    except AppError as error:
        told = "; ".join(f"{name}: {what}" for name, what in error.fields.items())
        raise click.ClickException(error.detail + (f" ({told})" if told else "")) from error
    finally:
        units.engines.dispose()


@click.group()
def staff() -> None:
    """Who operates this installation."""


@staff.command()
@click.argument("email")
def invite(email: str) -> None:
    """Print a one-use link that makes EMAIL a member of staff, or sets their password and factor anew."""
    with _door() as door:
        token = services.invite(door, email)
        door.commit()
    base = (settings().platform_base_url or settings().base_url).rstrip("/")
    click.echo(f"{base}/welcome/{token}")
    click.echo("It works once, within 24 hours.", err=True)


@staff.command("list")
@click.option("--json", "as_json", is_flag=True)
def list_staff(as_json: bool) -> None:
    """List the members of staff."""
    with _door() as door:
        rows = [dataclasses.asdict(row) for row in directory.list_staff(door.session)]
    _show(rows, as_json, ("email", "name", "created_at", "used_at", "disabled_at"))


@staff.command()
@click.argument("email")
def disable(email: str) -> None:
    """Let EMAIL in no more, and end their sessions."""
    with _door() as door:
        if not services.disable(door, email):
            raise click.ClickException("no such member of staff")
        door.commit()
    click.echo("disabled")


@click.group()
def tenants() -> None:
    """The tenants: listed, suspended, resumed, given another plan, deleted, restored."""


@tenants.command("list")
@click.option("--search", default="", help="Words of the name or the slug, or the whole id.")
@click.option("--plan", default="", type=click.Choice(["", *PLANS]))
@click.option("--status", default="")
@click.option("--json", "as_json", is_flag=True)
def list_tenants(search: str, plan: str, status: str, as_json: bool) -> None:
    """List tenants by name."""
    found: list[TenantRow] = []
    after: tuple[str, UUID] | None = None
    with _door() as door:
        while page := directory.tenants(door.session, TenantSearch(search, plan, status), after=after, most=500):
            found += page
            after = (page[-1].name, page[-1].tenant_id)
    columns = ("tenant_id", "slug", "status", "plan", "level", "members", "scans_queued", "scans_running", "effects")
    _show([dataclasses.asdict(row) for row in found], as_json, columns)


def _act(name: str, action: str, summary: str, *, plan: bool = False, slug: bool = False) -> None:
    """Add a command that puts an order on record and waits until it is carried out."""

    def command(tenant_id: UUID, who: str, reason: str, as_json: bool, wait: bool, **given: str) -> None:
        with _door() as door:
            order_id = services.order(door, who, Wish(tenant_id, action, reason, given), origin=HERE)
            door.commit()
        outcome = _outcome(tenant_id, order_id) if wait else "on record"
        if as_json:
            click.echo(json.dumps({"order": str(order_id), "outcome": outcome}))
        else:
            click.echo(outcome)
        if outcome.startswith("refused"):
            raise SystemExit(1)

    command.__doc__ = summary
    parameters: list[Any] = [
        click.argument("tenant_id", type=click.UUID),
        click.option("--as", "who", required=True, help="Your address, as the logs will show it."),
        click.option("--reason", required=True, help="Why; the tenant reads it."),
        click.option("--json", "as_json", is_flag=True),
        click.option("--wait/--no-wait", default=True, help="Wait until the worker has carried it out."),
    ]
    if plan:
        parameters.append(click.option("--plan", required=True, type=click.Choice(PLANS)))
    if slug:
        parameters.append(click.option("--slug", required=True, help="The tenant's slug, typed to confirm."))
    decorated: Any = command
    for parameter in reversed(parameters):
        decorated = parameter(decorated)
    tenants.command(name)(decorated)


_act("suspend", "tenant.suspend", "Close TENANT_ID to its people and keys, and cancel its scans.")
_act("resume", "tenant.resume", "Open a suspended tenant again.")
_act("change-plan", "tenant.change-plan", "Give TENANT_ID another plan.", plan=True)
_act("delete", "tenant.delete", "Delete TENANT_ID; it can be restored for 30 days.", slug=True)
_act("restore", "tenant.restore", "Bring a deleted tenant back.")


def _outcome(tenant_id: UUID, order_id: UUID) -> str:
    """Return how the order ended, watching it for half a minute."""
    steps = range(int(PATIENCE / PAUSE))
    with click.progressbar(steps, label="waiting for the worker", file=sys.stderr) as bar:
        for _ in bar:
            with _door() as door:
                recent = directory.log(door.session, tenant_id=tenant_id, most=50)
            event = next((event for event in recent if event.id == order_id), None)
            if event is not None and not event.waiting:
                return f"refused: {event.last_error}" if event.last_error else "carried out"
            time.sleep(PAUSE)
    return "on record, and not carried out yet: does the worker run?"


def _show(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=1))
        return
    table = [columns, *([str(row[name] if row[name] is not None else "-") for name in columns] for row in rows)]
    widths = [max(len(str(line[at])) for line in table) for at in range(len(columns))]
    for line in table:
        click.echo("  ".join(str(cell).ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
