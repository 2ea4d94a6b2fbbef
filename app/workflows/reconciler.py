"""Asks Temporal about every scan that has stood still, and mends what was lost between Postgres and Temporal."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from app.db.work import OpenScan
from app.tenancy.context import tenant_scope
from app.workflows.dispatch import start

log = logging.getLogger(__name__)

_RPC_LASTS = timedelta(seconds=5)
_AT_ONCE = 8
_READMIT_SECONDS = 60.0
INTERRUPTED = "The scan was interrupted and did not finish. Start it again."


class OverdueRecords(Protocol):
    """What the reconciler needs of the services; each verb acts for the tenant in the context, `open_scans` for all."""

    def open_scans(self, older_than: timedelta) -> list[OpenScan]: ...
    def fail(self, scan_id: UUID, reason: str) -> None: ...
    def readmit(self, scan_id: UUID) -> None: ...


class Reconciler:
    """One look at a time over the scans of all tenants that have not moved for `older_than`."""

    def __init__(
        self,
        client: Client,
        records: OverdueRecords,
        ensure: Callable[[UUID], None],
        *,
        older_than: timedelta = timedelta(seconds=20),
        interval: float = 10.0,
    ) -> None:
        self._client, self._records, self._ensure = client, records, ensure
        self._older_than, self._interval = older_than, interval
        self._readmitted: dict[UUID, float] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:
                log.warning("the reconciler could not look: %s", type(error).__name__)
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """Go once over all that stands still."""
        overdue = await asyncio.to_thread(self._records.open_scans, self._older_than)
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(scan: OpenScan) -> None:
            async with room:
                await self._look_at(scan)

        outcomes = await asyncio.gather(*(one(scan) for scan in overdue if scan.admitted), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                log.warning("an overdue scan was not looked at: %s", type(outcome).__name__)
        await self._readmit(overdue)

    async def _look_at(self, scan: OpenScan) -> None:
        with tenant_scope(scan.tenant_id):
            status = await self._status(scan)
            if status is None:
                log.warning("scan %s has no workflow: started again", scan.scan_id)
                self._ensure(scan.tenant_id)
                await start(self._client, scan.tenant_id, scan)
            elif status is WorkflowExecutionStatus.RUNNING:
                self._ensure(scan.tenant_id)
            else:
                log.warning("scan %s is open, its workflow is %s: failed", scan.scan_id, status.name)
                await asyncio.to_thread(self._records.fail, scan.scan_id, INTERRUPTED)

    async def _status(self, scan: OpenScan) -> WorkflowExecutionStatus | None:
        try:
            description = await self._client.get_workflow_handle(scan.workflow_id).describe(rpc_timeout=_RPC_LASTS)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return description.status

    async def _readmit(self, overdue: list[OpenScan]) -> None:
        """Have tenants looked at whose scans all wait for a place although none holds one."""
        now = time.monotonic()
        self._readmitted = {known: at for known, at in self._readmitted.items() if now - at < _READMIT_SECONDS}
        holding = {scan.tenant_id for scan in overdue if scan.admitted}
        for scan in overdue:
            if scan.tenant_id not in holding and scan.tenant_id not in self._readmitted:
                self._readmitted[scan.tenant_id] = now
                try:
                    with tenant_scope(scan.tenant_id):
                        await asyncio.to_thread(self._records.readmit, scan.scan_id)
                except Exception as error:  # the other tenants' scans go on
                    log.warning("waiting scan %s was not looked at: %s", scan.scan_id, type(error).__name__)
