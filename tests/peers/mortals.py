"""Real processes that kill themselves with -9 at one step of one tenant's work, before its commit or after it.

`python -m tests.peers.mortals work TENANT STEP MOMENT` is the worker process, until it takes STEP for TENANT;
`python -m tests.peers.mortals ask TENANT STEP MOMENT [SCAN]` accepts or cancels a scan, as a web process does;
`python -m tests.peers.mortals archive TENANT STEP MOMENT` is the worker process with an archivist that looks over all
logs all the time and removes little at once; without a step (`-`) it does not kill itself.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import Any
from uuid import UUID

from app import worker
from app.core.permissions import Permission
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Unit
from app.scanners.probes import Artefact, Ticket
from app.services import admissions, assets, audit_retention, checkpoints, scans
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
# step of the archivist -> the service that takes it, which counts where it did something
KEPT_BY = {
    "mark": (audit_retention, "mark_removal"),
    "remove": (audit_retention, "remove_batch"),
    "checkpoint": (checkpoints, "send_due"),
}


def die_at(tenant_id: UUID, place: ModuleType, services: str, moment: str, *, done: bool = False) -> None:
    """Have the next unit of the tenant in which the service was called end the process around its commit.

    With `done` only where it returned something.
    """
    service: Callable[..., Any] = getattr(place, services)
    commit = Unit.commit

    def marked(unit: Unit, *given: Any, **named: Any) -> Any:
        came_of_it = service(unit, *given, **named)
        if unit.tenant_id == tenant_id and (came_of_it or not done):
            unit.session.info["doomed"] = True
        return came_of_it

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


def archive(tenant_id: UUID, step: str, moment: str) -> None:
    """Be the worker, with an archivist in haste."""
    worker.Archivist = partial(worker.Archivist, seconds=0.2, every=timedelta(0))  # type: ignore[assignment,misc]
    audit_retention.BATCH = 5
    if step in KEPT_BY:
        die_at(tenant_id, *KEPT_BY[step], moment, done=True)
    worker.main()


def main(what: str, tenant: str, step: str, moment: str, *scan: str) -> None:
    """Work or ask, and die."""
    tenant_id = UUID(tenant)
    if what == "archive":
        archive(tenant_id, step, moment)
    place = admissions if step == "admit" else scans
    die_at(tenant_id, place, {**TAKEN_BY, "reserve": "start_scan", "cancel": "cancel_scan"}[step], moment)
    if what == "ask":
        ask(tenant_id, step, UUID(scan[0]) if scan else None)
    else:
        if step == "fail":
            worker._run_probe = _probe
        worker.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
