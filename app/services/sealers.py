"""The sealer: about each second it seals every tenant's audit log, in a thread of the worker."""

import threading

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.db import directory
from app.db.engines import NOBODY
from app.db.units import Home, Units
from app.services import audit_seals
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
SEALER = system_actor("audit sealer")
MOST_LOGS = 200


class Sealer:
    """Any number may run at once: a log belongs to one of them at a time."""

    def __init__(self, units: Units, master_key: bytes, *, seconds: float = 1.0) -> None:
        self._units = units
        self._master_key = master_key
        self._seconds = seconds
        self._key: Ed25519PrivateKey | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit-sealer", daemon=True)

    def start(self) -> None:
        """Begin to seal, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Seal no more; return when the present seal is written."""
        self._stop.set()
        self._thread.join(timeout=5)

    def run_once(self) -> int:
        """Seal what is ready in this thread; return how many events."""
        key, logs = self._ready()
        sealed = 0
        for tenant_id, home in logs:
            if self._stop.is_set():
                break
            with tenant_scope(tenant_id), self._units.open(Home(home), SEALER) as unit:
                sealed += audit_seals.seal_log(unit, key)
                unit.commit()
        return sealed

    def _ready(self) -> "tuple[Ed25519PrivateKey, list[directory.UnsealedLog]]":
        session = self._units.start(self._units.engines.control, NOBODY)
        try:
            if self._key is None:
                self._key = audit_seals.signing_key(session, self._master_key)
            logs = directory.logs_unsealed(session, MOST_LOGS)
            session.commit()
            return self._key, logs
        finally:
            session.close()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                while self.run_once() and not self._stop.is_set():
                    pass
            except Exception as error:  # whatever it is: without this loop nothing is sealed any more
                log.warning("sealer.failed", error=type(error).__name__)
                self._key = None
