"""Real processes that kill themselves with -9 at one step of one tenant's scan, before its commit or after it.

`python -m tests.peers.mortals work TENANT STEP MOMENT` is the worker process, until it takes STEP for TENANT;
`python -m tests.peers.mortals ask TENANT STEP MOMENT [SCAN]` accepts or cancels a scan, as a web process does.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

from app import worker
from app.core.permissions import Permission
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Unit
from app.scanners.probes import Artefact, Ticket
from app.services import admissions, assets, scans
from app.tenancy.actors import Actor, ActorKind
from app.tenancy.context import tenant_scope

BEFORE, AFTER = "before", "after"
HOPELESS = "no probe reads this"
probe = worker._run_probe
# step of the worker -> the service that takes it
TAKEN_BY = {
    "admit": "admit_scans",
    "claim": "claim_scan",
    "complete": "complete_scan",
    "fail": "fail_scan",
    "stop": "stop_scans",
}


def die_at(tenant_id: UUID, services: str, moment: str) -> None:
    """Have the next unit of the tenant in which the service was called end the process around its commit."""
    place = admissions if services == "admit_scans" else scans
    service: Callable[..., Any] = getattr(place, services)
    commit = Unit.commit

    def marked(unit: Unit, *given: Any, **named: Any) -> Any:
        if unit.tenant_id == tenant_id:
            unit.session.info["doomed"] = True
        return service(unit, *given, **named)

    def committed(unit: Unit) -> None:
        doomed = unit.session.info.get("doomed", False)
        if doomed and moment == BEFORE:
            unit.session.flush()
        else:
            commit(unit)
        if doomed:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(place, services, marked)
    Unit.commit = committed  # type: ignore[method-assign]


def ask(tenant_id: UUID, step: str, scan_id: UUID | None) -> None:
    """Accept a scan of a letter, or cancel one, as the web process does."""
    units = open_units(settings(), settings().database_url.get_secret_value())
    person = Actor(ActorKind.USER, None, "owner@example.com", frozenset(Permission), None, None, None)
    with tenant_scope(tenant_id), units.open(Home.CONTENT, person) as unit:
        if step == "reserve":
            scans.start_scan(unit, assets.add_document(unit, name="Letter", text="hello").id, tool="text")
        elif scan_id is not None:
            scans.cancel_scan(unit, scan_id)
        unit.commit()


def _probe(ticket: Ticket, *given: Any) -> Artefact:
    """Fail the scan of a hopeless text, and do the others'."""
    return Artefact("text", failure="no answer") if ticket.document == HOPELESS else probe(ticket, *given)


def main(what: str, tenant: str, step: str, moment: str, *scan: str) -> None:
    """Work or ask, and die."""
    tenant_id = UUID(tenant)
    die_at(tenant_id, {**TAKEN_BY, "reserve": "start_scan", "cancel": "cancel_scan"}[step], moment)
    if what == "ask":
        ask(tenant_id, step, UUID(scan[0]) if scan else None)
    else:
        if step == "fail":
            worker._run_probe = _probe
        worker.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
