"""How the platform does by command: `sentinel health`, `sentinel effects …`, and the staff's log: `sentinel log`."""

import dataclasses
import json
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import click

from app.core.settings import settings
from app.db import oversight
from app.db.oversight import EventSearch, StaffEvent
from app.graph.gateway import open_graph
from app.platform.terminal import HERE, door, give, json_too, ordering, show
from app.services import checkups, staff
from app.services.staff import Wish
from app.serving.probes import DOWN, probe_servers

PAGE = 1000
EFFECTS = ("tenant_id", "id", "kind", "since", "attempts", "problem", "ordered")
SCANS = ("tenant_id", "scan_id", "workflow_id", "status", "since", "ordered")
EVENTS = ("at", "staff_label", "action", "slug", "reason", "waiting", "last_error")


@click.command()
@json_too
def health(as_json: bool) -> None:
    """Tell which parts answer, what waits, and what is stuck; ends with 1 where something needs somebody."""
    given = settings()
    with door() as opened:
        found = checkups.check_up(opened.session)
    graph = open_graph(given.neo4j_uri, given.neo4j_user, given.neo4j_password.get_secret_value(), given.neo4j_database)
    servers = probe_servers(given, graph)
    if graph is not None:
        graph.close()
    healthy = found.healthy and all(server.state != DOWN for server in servers)
    if as_json:
        told = {"healthy": healthy, "servers": [dataclasses.asdict(one) for one in servers]}
        click.echo(json.dumps({**told, **dataclasses.asdict(found)}, default=str, indent=1))
    else:
        show(servers, ("name", "state", "seconds"))
        click.echo(f"\n{found.alive} workers heard of lately; the relay's lag is {found.lag:.0f} s\n")
        show(found.backlog, ("part", "waiting", "oldest"))
        for title, rows, columns in (("effects", found.effects, EFFECTS), ("scans", found.scans, SCANS)):
            if rows:
                click.echo(f"\n{title} that are stuck")
                show(rows, columns)
    if not healthy:
        raise SystemExit(1)


@click.group()
def effects() -> None:
    """What the outbox holds and cannot get rid of."""


@effects.command("list")
@json_too
def list_effects(as_json: bool) -> None:
    """List the effects that are stuck, the oldest first."""
    with door() as opened:
        rows = checkups.stuck_effects(opened.session)
    show(rows, EFFECTS, as_json=as_json)


@effects.command()
@ordering
@click.argument("effect_id", type=click.UUID)
def retry(tenant_id: UUID, effect_id: UUID, who: str, reason: str, as_json: bool, wait: bool) -> None:
    """Have EFFECT_ID of TENANT_ID tried again at once."""
    with door() as opened:
        effect = checkups.stuck_effect(opened.session, tenant_id, effect_id)
    detail = {"effect_id": str(effect.id), "home": effect.home, "kind": effect.kind}
    give(who, Wish(tenant_id, "effect.retry", reason, detail), as_json=as_json, wait=wait)


@click.group()
def scans() -> None:
    """Scans that stand still."""


@scans.command("list")
@json_too
def list_scans(as_json: bool) -> None:
    """List the scans that stand still, the oldest first."""
    with door() as opened:
        rows = checkups.stuck_scans(opened.session)
    show(rows, SCANS, as_json=as_json)


@scans.command()
@ordering
@click.argument("scan_id", type=click.UUID)
def cancel(tenant_id: UUID, scan_id: UUID, who: str, reason: str, as_json: bool, wait: bool) -> None:
    """Cancel SCAN_ID of TENANT_ID, which stands still; the tenant reads the reason."""
    with door() as opened:
        checkups.stuck_scan(opened.session, tenant_id, scan_id)
    give(who, Wish(tenant_id, "scan.cancel", reason, {"scan_id": str(scan_id)}), as_json=as_json, wait=wait)


@click.command()
@click.option("--by", "of_who", default="", help="Part of the address of who acted.")
@click.option("--action", default="", help="The action, as the log shows it.")
@click.option("--tenant", type=click.UUID, help="Only what was done to this tenant.")
@click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), help="The first day, UTC.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day, UTC.")
@click.option("--most", type=click.IntRange(1), default=1000, show_default=True, help="At most so many, the newest.")
@json_too
@click.option("--csv", "as_csv", is_flag=True, help="Answer in CSV; needs --as, since it is put on record.")
@click.option("--as", "who", help="Your address, a member of staff's, for --csv.")
def log(
    of_who: str,
    action: str,
    tenant: UUID | None,
    since: datetime | None,
    until: datetime | None,
    most: int,
    as_json: bool,
    as_csv: bool,
    who: str | None,
) -> None:
    """Show what staff did, newest first."""
    first = since and since.replace(tzinfo=UTC)
    last = until and until.replace(tzinfo=UTC) + timedelta(days=1)
    wanted = EventSearch(tenant, of_who, action, first, last)
    if as_csv and not who:
        raise click.UsageError("--csv needs --as: that the log was taken out is on record")
    found: list[StaffEvent] = []
    with door() as opened:
        if as_csv and who:
            told = {"by": of_who, "action": action, "tenant": tenant and str(tenant), "from": first, "until": last}
            filters = {name: str(one) for name, one in told.items() if one}
            staff.note_export(opened, staff.named(opened, who), filters, origin=HERE)
            opened.commit()
        with click.progressbar(length=most, label="reading the log", file=sys.stderr) as bar:
            while len(found) < most:
                before = (found[-1].at, found[-1].id) if found else None
                page = oversight.log(opened.session, wanted, before=before, most=min(PAGE, most - len(found)))
                found += page
                bar.update(len(page))
                if not page:
                    break
    show(found, EVENTS, as_json=as_json, as_csv=as_csv)
