"""Scan rows in memory, with the same compare-and-set as the services'."""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from app.db.work import OpenScan
from app.scanners.probes import Artefact, Ticket
from app.tenancy.context import require_tenant
from app.workflows.names import workflow_id


@dataclass
class ScanRow:
    tenant_id: UUID
    scan_id: UUID = field(default_factory=uuid4)
    engagement_id: UUID = field(default_factory=uuid4)
    status: str = "queued"
    reason: str | None = None
    artefact: Artefact | None = None
    document: str = "plain"
    seconds: float = 5.0
    claimed_at: float | None = None
    admitted: bool = True
    readmitted: int = 0
    steps: list[str] = field(default_factory=list)

    @property
    def workflow_id(self) -> str:
        return workflow_id(self.tenant_id, self.engagement_id, self.scan_id)


class MemoryScanRecords:
    """Rows of all tenants; each verb acts for the tenant in the context and sees no other's. `down` makes it fail."""

    def __init__(self) -> None:
        self.rows: dict[UUID, ScanRow] = {}
        self.down = False
        self.completions = 0
        self._lock = threading.Lock()

    def add(self, tenant_id: UUID, **values: object) -> ScanRow:
        row = ScanRow(tenant_id, **values)  # type: ignore[arg-type]
        self.rows[row.scan_id] = row
        return row

    def cancel(self, scan_id: UUID) -> None:
        with self._lock:
            self.rows[scan_id].status = "cancelled"

    def claim(self, scan_id: UUID) -> Ticket | None:
        with self._lock:
            row = self._own(scan_id)
            if row.status not in ("queued", "running"):
                return None
            row.status, row.claimed_at = "running", row.claimed_at or time.monotonic()
            return Ticket(str(scan_id), "text", document=row.document, seconds=row.seconds)

    def complete(self, scan_id: UUID, artefact: Artefact) -> None:
        with self._lock:
            row = self._own(scan_id)
            if row.status == "running":
                row.status, row.artefact = "done", artefact
                self.completions += 1

    def fail(self, scan_id: UUID, reason: str) -> None:
        with self._lock:
            row = self._own(scan_id)
            if row.status in ("queued", "running"):
                row.status, row.reason = "failed", reason

    def admit(self, _effect_id: UUID) -> list[ScanRow]:
        if self.down:
            raise ConnectionError("down")
        tenant_id = require_tenant()
        return [row for row in self.rows.values() if row.tenant_id == tenant_id and row.status == "queued"]

    def note_step(self, scan_id: UUID, step: str) -> None:
        self._own(scan_id).steps.append(step)

    def readmit(self, scan_id: UUID) -> None:
        self._own(scan_id).readmitted += 1

    def open_scans(self, older_than: timedelta) -> list[OpenScan]:
        if self.down:
            raise ConnectionError("down")
        return [
            OpenScan(row.tenant_id, row.scan_id, row.workflow_id, row.status, row.admitted, datetime.now(UTC))
            for row in self.rows.values()
            if row.status in ("queued", "running")
        ]

    def open_tenants(self) -> set[UUID]:
        if self.down:
            raise ConnectionError("down")
        return {row.tenant_id for row in self.rows.values() if row.status in ("queued", "running")}

    def _own(self, scan_id: UUID) -> ScanRow:
        if self.down:
            raise ConnectionError("down")
        row = self.rows[scan_id]
        if row.tenant_id != require_tenant():
            raise PermissionError("another tenant's scan")
        return row
