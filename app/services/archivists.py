"""The archivist: each hour it looks over the audit logs: what was kept long enough, which checkpoint is due."""

from datetime import timedelta
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.core.errors import NotFound
from app.db import archives
from app.db.units import Home, Units
from app.services import audit_retention, audit_seals, checkpoints
from app.services.audit import LOGS
from app.services.loops import Loop
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
ACTOR = system_actor("audit archivist")
EVERY = timedelta(hours=1)
MOST_TENANTS = 100


class Archivist(Loop):
    """Any number may run at once: a tenant belongs to one of them at a time; what a killed one left, the next does."""

    def __init__(self, units: Units, master_key: bytes, *, seconds: float = 30.0, every: timedelta = EVERY) -> None:
        super().__init__(units, "audit-archivist", seconds=seconds)
        self._master_key = master_key
        self._every = every

    def run_once(self) -> int:
        """Look over the tenants that are due, in this thread; return how many."""
        with self.directory() as session:
            key = audit_seals.signing_key(session, self._master_key)
            tenants = archives.claim_archives(session, MOST_TENANTS, self._every)
        for tenant_id in tenants:
            if self.stopping:
                break
            try:
                self.look_over(tenant_id, key)
            except (NotFound, PermissionError):  # it was purged meanwhile
                log.info("archivist.gone", tenant=str(tenant_id))
            except Exception as error:  # the other tenants' logs go on
                log.warning("archivist.failed", tenant=str(tenant_id), error=type(error).__name__)
        return len(tenants)

    def look_over(self, tenant_id: UUID, key: Ed25519PrivateKey) -> None:
        """Remove what one tenant's plan does not keep, and ask for the mails that are due."""
        for home in LOGS:
            self._expire(tenant_id, home, key)
        with tenant_scope(tenant_id), self._units.open(Home.ACCOUNT, ACTOR) as unit:
            checkpoints.send_due(unit)
            unit.commit()

    def _expire(self, tenant_id: UUID, home: Home, key: Ed25519PrivateKey) -> None:
        with tenant_scope(tenant_id), self._units.open(home, ACTOR) as unit:
            audit_retention.mark_removal(unit, key)
            unit.commit()
        removed = 1
        while removed and not self.stopping:
            with tenant_scope(tenant_id), self._units.open(home, ACTOR) as unit:
                removed = audit_retention.remove_batch(unit)
                unit.commit()
