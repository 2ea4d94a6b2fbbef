"""Tenants by command: `sentinel tenants …` and `sentinel requests …`, with the platform's login."""

import dataclasses
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click

from app.core.errors import NotFound
from app.db import oversight
from app.db.oversight import EventSearch, RequestRow, TenantRow, TenantSearch
from app.platform.acts import ACTS, Act
from app.platform.terminal import door, give, json_too, ordering, show, tell
from app.services import plan_overrides, staff
from app.services.lifecycles import PLANS
from app.services.plans import QUOTA_NAMES
from app.services.staff import Wish
from app.services.standings import standing_of

PAGE = 500
COLUMNS = ("tenant_id", "slug", "status", "plan", "level", "scans_queued", "scans_running", "percent", "at_risk")


@click.group()
def tenants() -> None:
    """The tenants: listed, looked at, suspended, resumed, given another plan or figure, deleted, restored."""


@tenants.command("list")
@click.option("--search", default="", help="Words of the name or the slug, or the whole id.")
@click.option("--plan", default="", type=click.Choice(["", *PLANS]))
@click.option("--status", default="")
@click.option("--level", default="", help="The isolation level.")
@click.option("--at-risk", is_flag=True, help="Only those with a quota over 90 per cent.")
@click.option("--trial-ends-in", "days", type=click.IntRange(0, 365), help="Only trials that are over in so many days.")
@json_too
@click.option("--csv", "as_csv", is_flag=True, help="Answer in CSV.")
def list_tenants(as_json: bool, as_csv: bool, at_risk: bool, days: int | None, **given: str) -> None:
    """List tenants by name."""
    ending = None if days is None else timedelta(days=days)
    wanted = TenantSearch(given["search"], given["plan"], given["status"], given["level"], at_risk, ending)
    found: list[TenantRow] = []
    after: tuple[str, UUID] | None = None
    with door() as opened:
        length = oversight.count_tenants(opened.session, wanted, most=10_000_000)
        with click.progressbar(length=length, label="reading tenants", file=sys.stderr) as bar:
            while page := oversight.tenants(opened.session, wanted, after=after, most=PAGE):
                found += page
                after = (page[-1].name, page[-1].tenant_id)
                bar.update(len(page))
    show(found, COLUMNS, as_json=as_json, as_csv=as_csv)


@tenants.command("show")
@click.argument("tenant_id", type=click.UUID)
@json_too
def show_tenant(tenant_id: UUID, as_json: bool) -> None:
    """Show what TENANT_ID is, uses, asks for, what was agreed on with it, and its last orders."""
    with door() as opened:
        row = oversight.tenant(opened.session, tenant_id)
        if row is None:
            raise NotFound("There is no such tenant.")
        parts: dict[str, list[Any]] = {
            "overrides": oversight.overrides(opened.session, tenant_id),
            "requests": oversight.requests(opened.session, tenant_id=tenant_id),
            "orders": oversight.log(opened.session, EventSearch(tenant_id), most=20),
        }
        standing = standing_of(oversight.usage(opened.session, tenant_id))
    if as_json:
        facts = {name: [dataclasses.asdict(one) for one in rows] for name, rows in parts.items()}
        use = None if standing is None else dataclasses.asdict(standing)
        click.echo(json.dumps({**dataclasses.asdict(row), "use": use, **facts}, default=str, indent=1))
        return
    tell(dataclasses.asdict(row))
    for line in standing.lines if standing else ():
        share = "" if line.percent is None else f" ({line.percent} %)"
        limit = "unlimited" if line.limit is None else f"{line.limit:,}"
        click.echo(f"{QUOTA_NAMES[line.quota]}: {line.used:,} of {limit}{share}")
    for name, columns in (
        ("overrides", ("id", "kind", "name", "value", "until", "reason")),
        ("requests", ("id", "plan", "asked_at", "note", "ordered")),
        ("orders", ("at", "staff_label", "action", "reason", "waiting", "last_error")),
    ):
        if parts[name]:
            click.echo(f"\n{name}")
            show(parts[name], columns)


def _act(act: Act) -> None:
    """Add the command of an act."""

    def command(tenant_id: UUID, who: str, reason: str, as_json: bool, wait: bool, **given: str) -> None:
        give(who, Wish(tenant_id, act.action, reason, given), as_json=as_json, wait=wait)

    command.__doc__ = f"{act.verb}. {act.consequence}"
    decorated: Any = ordering(command)
    if act.asks == "plan":
        decorated = click.option("--plan", required=True, type=click.Choice(PLANS))(decorated)
    if act.asks == "slug":
        decorated = click.option("--slug", required=True, help="The tenant's slug, typed to confirm.")(decorated)
    tenants.command(act.command)(decorated)


for _each in ACTS.values():
    _act(_each)


@tenants.command()
@ordering
@click.argument("kind", type=click.Choice(sorted(plan_overrides.NAMES)))
@click.argument("name")
@click.argument("value")
@click.option("--days", type=click.IntRange(1, 36_500), help="How long it holds; without it, for good.")
def override(
    tenant_id: UUID,
    kind: str,
    name: str,
    value: str,
    who: str,
    reason: str,
    days: int | None,
    as_json: bool,
    wait: bool,
) -> None:
    """Agree on a figure with TENANT_ID: a number or "unlimited"; for a feature 1 or 0."""
    if value != "unlimited" and not (value.isascii() and value.isdigit()):
        raise click.BadParameter('a number or "unlimited"', param_hint="VALUE")
    if name not in plan_overrides.NAMES[kind]:
        raise click.BadParameter("one of " + ", ".join(sorted(plan_overrides.NAMES[kind])), param_hint="NAME")
    until = None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()
    detail = {"kind": kind, "name": name, "value": None if value == "unlimited" else int(value), "until": until}
    give(who, Wish(tenant_id, "plan.override", reason, detail), as_json=as_json, wait=wait)


@tenants.command("end-override")
@ordering
@click.argument("override_id", type=click.UUID)
def end_override(tenant_id: UUID, override_id: UUID, who: str, reason: str, as_json: bool, wait: bool) -> None:
    """Let the plan's figure hold again in place of OVERRIDE_ID (`tenants show` lists them)."""
    detail = {"override_id": str(override_id)}
    give(who, Wish(tenant_id, "plan.override-end", reason, detail), as_json=as_json, wait=wait)


@click.group()
def requests() -> None:
    """Plans that tenants ask for."""


@requests.command("list")
@json_too
def list_requests(as_json: bool) -> None:
    """List what is asked for, the oldest first."""
    found: list[RequestRow] = []
    after: tuple[datetime, UUID] | None = None
    with door() as opened:
        length = oversight.count_requests(opened.session)
        with click.progressbar(length=length, label="reading requests", file=sys.stderr) as bar:
            while page := oversight.requests(opened.session, after=after, most=PAGE):
                found += page
                after = (page[-1].asked_at, page[-1].id)
                bar.update(len(page))
    show(found, ("tenant_id", "slug", "present", "plan", "asked_at", "note", "ordered"), as_json=as_json)


@requests.command()
@ordering
@click.argument("decision", type=click.Choice(["approve", "decline"]))
@click.option("--answer", default="", help="What the owners are told by mail.")
def decide(tenant_id: UUID, decision: str, answer: str, who: str, reason: str, as_json: bool, wait: bool) -> None:
    """Approve or decline the plan that TENANT_ID asks for."""
    with door() as opened:
        waiting = oversight.requests(opened.session, tenant_id=tenant_id)
        if not waiting:
            raise NotFound("This tenant asks for no other plan.")
        told = staff.checked_answer(answer)
    detail = {"request_id": str(waiting[0].id), "plan": waiting[0].plan, "answer": told}
    give(who, Wish(tenant_id, f"plan.{decision}", reason, detail), as_json=as_json, wait=wait)
