"""The census, a thread of the worker: counts for the staff what tenants use of their plans, and says that we live."""

import os
import platform
from datetime import timedelta
from uuid import UUID

import structlog

from app.db import staff
from app.db.units import Home, Unit, Units
from app.services.loops import Loop
from app.services.quota_summaries import lines_of
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
CENSUS = system_actor("census")
# Four tenants a second at most, so that ten thousand are counted anew within the hour by a single worker.
MOST_TENANTS = 20
LEASE = timedelta(minutes=1)
FRESH = timedelta(seconds=15)
OLD = timedelta(hours=1)


class Census(Loop):
    """Any number may run at once: a tenant is counted by one of them at a time."""

    def __init__(self, units: Units, *, seconds: float = 5.0) -> None:
        super().__init__(units, "census", seconds=seconds)
        self._process = f"{platform.node()}:{os.getpid()}"

    def turn(self) -> None:
        """Count no more than the present lot: what it costs is bounded, however many wait."""
        self.run_once()

    def run_once(self) -> int:
        """Tell that this worker lives, and count the tenants that are due, in this thread; return how many."""
        with self.directory() as session:
            staff.note_worker(session, self._process)
            due = staff.claim_counts(session, MOST_TENANTS, lease=LEASE, fresh=FRESH, old=OLD)
        for tenant_id in due:
            if self.stopping:
                break
            try:
                count_tenant(self._units, tenant_id)
            except Exception as error:  # the others are counted all the same; this one again when its lease is over
                log.warning("census.tenant_failed", tenant=str(tenant_id), error=type(error).__name__)
        return len(due)


def count_tenant(units: Units, tenant_id: UUID) -> None:
    """Write down for the staff what the tenant uses of its plan at this moment: numbers alone."""
    with tenant_scope(tenant_id), units.open(Home.ACCOUNT, CENSUS) as unit:
        _count(unit)
        unit.commit()


def _count(unit: Unit) -> None:
    lines = [line for line in lines_of(unit) if line.used is not None]
    shares = [(line.percent, str(line.quota)) for line in lines if line.matters and line.percent is not None]
    percent, quota = max(shares, default=(None, None))
    staff.note_count(
        unit.session,
        unit.tenant_id,
        [{"quota": str(line.quota), "used": line.used, "limit": line.limit, "agreed": line.agreed} for line in lines],
        percent=percent,
        quota=quota,
        risky=any(line.at_risk for line in lines if line.matters),
    )
