"""Scan records and effects through the services: each verb is one unit of work of the tenant in the context."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from app.db import directory
from app.db.engines import NOBODY
from app.db.units import Home, Units
from app.scanners.probes import Artefact, Ticket
from app.services import scans
from app.services.scans import AdmittedScan
from app.tenancy.actors import system_actor

WORKER = system_actor("worker")


class UnitRecords:
    """What the worker reads and writes of scans."""

    def __init__(self, units: Units) -> None:
        self._units = units

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

    @contextmanager
    def admission(self) -> Iterator[list[AdmittedScan]]:
        """Give the scans that may start now; they count as admitted once the block is left without an error."""
        with self._units.open(Home.CONTENT, WORKER) as unit:
            yield scans.admit_scans(unit)
            unit.commit()

    def open_tenants(self) -> set[UUID]:
        """Return the tenants that have a scan admitted and not over."""
        session = self._units.start(self._units.engines.control, NOBODY)
        try:
            return directory.tenants_with_open_scans(session)
        finally:
            session.close()

    def open_scans(self, older_than: timedelta) -> list[directory.OpenScan]:
        """Return the scans of all tenants that have stood where they stand for longer than `older_than`."""
        session = self._units.start(self._units.engines.control, NOBODY)
        try:
            return directory.list_open_scans(session, older_than)
        finally:
            session.close()
