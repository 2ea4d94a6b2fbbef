"""The sealer: about each second it seals every tenant's audit log, in a thread of the worker."""

from functools import partial
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.db import directory
from app.db.units import Home, Units
from app.services import audit_seals
from app.services.loops import Loop
from app.services.turns import Turns
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
SEALER = system_actor("audit sealer")
MOST_LOGS = 200


class Sealer(Loop):
    """Any number may run at once: a log belongs to one of them at a time."""

    def __init__(self, units: Units, master_key: bytes, *, seconds: float = 1.0) -> None:
        super().__init__(units, "audit-sealer", seconds=seconds)
        self._master_key = master_key
        self._key: Ed25519PrivateKey | None = None
        self._turns = Turns[directory.UnsealedLog](lambda unsealed: unsealed)

    def run_once(self) -> int:
        """Seal what is ready in this thread; return how many events."""
        key, logs = self._ready()
        sealed = 0
        for unsealed in logs:
            if self.stopping:
                break
            try:
                sealed += self._seal(unsealed.tenant_id, Home(unsealed.home), key)
                self._turns.note(unsealed, done=True)
            except Exception as error:  # the other tenants' logs go on
                self._turns.note(unsealed, done=False)
                log.warning("sealer.failed", tenant=str(unsealed.tenant_id), error=type(error).__name__)
        return sealed

    def _seal(self, tenant_id: UUID, home: Home, key: Ed25519PrivateKey) -> int:
        with tenant_scope(tenant_id), self._units.open(home, SEALER) as unit:
            sealed = audit_seals.seal_log(unit, key)
            unit.commit()
        return sealed

    def recover(self) -> None:
        """Read the key anew."""
        self._key = None

    def _ready(self) -> "tuple[Ed25519PrivateKey, list[directory.UnsealedLog]]":
        with self.directory() as session:
            if self._key is None:
                self._key = audit_seals.signing_key(session, self._master_key)
            return self._key, self._turns.take(partial(directory.logs_unsealed, session), MOST_LOGS)
