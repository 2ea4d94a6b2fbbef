"""Scan records and effects through the services: each verb is one unit of work of the tenant in the context."""

from datetime import timedelta
from uuid import UUID

from app.db import work
from app.db.engines import NOBODY
from app.db.units import Home, Units
from app.scanners.probes import Artefact, Ticket
from app.services import admissions, scans
from app.services.admissions import AdmittedScan
from app.services.plans import Queue, entitlements, plan_named, plan_of
from app.tenancy.actors import system_actor
from app.tenancy.context import require_tenant
from app.workflows.shares import Share, Shares

WORKER = system_actor("worker")


class UnitRecords:
    """What the worker reads and writes of scans; `shares` is kept up to date with the tenants' plans."""

    def __init__(self, units: Units, shares: Shares | None = None) -> None:
        self._units = units
        self._shares = shares or Shares()

    def claim(self, scan_id: UUID) -> Ticket | None:
        """Take the scan from queued to running; None where it was cancelled or is over."""
        with self._units.open(Home.CONTENT, WORKER) as unit:
            ticket = scans.claim_scan(unit, scan_id)
            unit.commit()
            return ticket

    def note_step(self, scan_id: UUID, step: str) -> None:
        """Write down that the scan has reached `step`."""
        with self._units.open(Home.CONTENT, WORKER) as unit:
            scans.note_step(unit, scan_id, step)
            unit.commit()

    def complete(self, scan_id: UUID, artefact: Artefact) -> None:
        """Keep what the scan brought back; a second call changes nothing."""
        with self._units.open(Home.CONTENT, WORKER) as unit:
            scans.complete_scan(unit, scan_id, artefact)
            unit.commit()

    def fail(self, scan_id: UUID, reason: str) -> None:
        """End the scan as failed, unless it is over."""
        with self._units.open(Home.CONTENT, WORKER) as unit:
            scans.fail_scan(unit, scan_id, reason)
            unit.commit()

    def readmit(self, scan_id: UUID) -> None:
        """Have the tenant's waiting scans looked at once more."""
        with self._units.open(Home.CONTENT, WORKER) as unit:
            scans.readmit_scan(unit, scan_id)
            unit.commit()

    def admit(self, effect_id: UUID, most: int | None = None) -> list[AdmittedScan]:
        """Return the scans that may start now, `most` of them new: admitted, whatever becomes of their start."""
        with self._units.open(Home.CONTENT, WORKER) as unit:
            admitted = admissions.admit_scans(unit, effect_id, most)  # reads what the tenant may have under its lock
            scans.stop_scans(unit)  # what was accepted while its tenant was being closed
            share = _share(entitlements(unit).queue)
            unit.commit()
        if admitted:
            self._shares.put(require_tenant(), share)
        return admitted

    def open_tenants(self) -> set[UUID]:
        """Return the tenants that have a scan admitted and not over."""
        session = self._units.start(self._units.engines.control, NOBODY)
        try:
            found = work.tenants_at_work(session)
        finally:
            session.close()
        self._shares.replace({each: _share(plan_of(plan_named(plan)).queue) for each, plan in found.items()})
        return set(found)

    def open_scans(self, older_than: timedelta) -> list[work.OpenScan]:
        """Return the scans of all tenants that have stood where they stand for longer than `older_than`."""
        session = self._units.start(self._units.engines.control, NOBODY)
        try:
            return work.list_open_scans(session, older_than)
        finally:
            session.close()


def _share(queue: Queue) -> Share:
    return Share(queue.workers, queue.priority)
