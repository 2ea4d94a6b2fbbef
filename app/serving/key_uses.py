"""The uses of API keys, kept for a second and written in one batch: no request writes or waits for them."""

from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core import crypto
from app.db import key_uses
from app.db.directory import KeyHolder
from app.db.key_uses import KeyUse
from app.db.units import Home, Units
from app.services.key_secrets import rehash_secret
from app.serving.batches import Batches
from app.tenancy.actors import Actor, system_actor
from app.tenancy.context import tenant_scope

MOST = 10_000
LONGEST_AGENT = 200
log = structlog.get_logger("sentinel.keys")
_Caller = tuple[UUID, UUID, str, str]


@dataclass(frozen=True, slots=True)
class _Renewed:
    tenant_id: UUID
    secret_id: UUID
    hash: bytes


class KeyUses(Batches):
    """What this process has seen of keys since the last batch; a process that is killed loses a second of it.

    Beyond 10,000 callers in a second further ones are not noted.
    """

    def __init__(self, units: Units, pepper: bytes, *, seconds: float = 1.0) -> None:
        """Write by `units`; secrets under another pepper than `pepper` are hashed anew."""
        super().__init__(units, seconds)
        self._pepper, self._mark = pepper, crypto.pepper_mark(pepper)
        self._uses: dict[_Caller, KeyUse] = {}
        self._renewed: dict[UUID, _Renewed] = {}

    def note(self, holder: KeyHolder, actor: Actor, scopes: frozenset[str]) -> None:
        """Remember that the key was used now by this caller, who exercised `scopes`; returns at once."""
        tenant_id, address, agent = holder.tenant.id, actor.address or "", _written(actor.agent)
        caller = (tenant_id, holder.secret_id, address, agent)
        with self._lock:
            before = self._uses.get(caller)
            if before is None and len(self._uses) >= MOST:
                return
            used = tuple(sorted(scopes.union(before.scopes if before else ())))
            self._uses[caller] = KeyUse(tenant_id, holder.secret_id, address, agent, self._units.clock.now(), used)
            self._begin_timer()

    def note_secret(self, holder: KeyHolder, secret: str) -> None:
        """Have `secret` hashed anew with the batch if it is kept under another pepper than the present one."""
        if holder.pepper == self._mark:
            return
        renewed = _Renewed(holder.tenant.id, holder.secret_id, crypto.credential_hash(secret, self._pepper))
        with self._lock:
            self._renewed[holder.secret_id] = renewed
            self._begin_timer()

    def flush(self) -> None:
        """Write what was remembered, now. Where the database does not answer, it waits for the next use."""
        with self._writing:
            with self._lock:
                uses, self._uses = self._uses, {}
                renewed, self._renewed = self._renewed, {}
                self._end_timer()
            try:
                self._write(list(uses.values()), list(renewed.values()))
            except SQLAlchemyError as error:
                if not self._ending:
                    log.warning("key_uses.not_written", error=type(error).__name__, uses=len(uses))
                with self._lock:
                    self._uses = {**uses, **self._uses}

    def _write(self, uses: list[KeyUse], renewed: list[_Renewed]) -> None:
        if uses:
            with self._units.identify() as door:
                key_uses.note(door.session, uses)
                door.commit()
        for each in renewed:
            self._rehash(each)

    def _rehash(self, renewed: _Renewed) -> None:
        """Keep the secret's new hash; where that fails, its next use asks for it again."""
        try:
            with tenant_scope(renewed.tenant_id), self._units.open(Home.ACCOUNT, system_actor("sentinel")) as unit:
                rehash_secret(unit, renewed.secret_id, renewed.hash, self._mark)
                unit.commit()
        except Exception as error:  # the other tenants' are renewed all the same
            log.warning("key_uses.not_renewed", tenant=str(renewed.tenant_id), error=type(error).__name__)


def _written(agent: str | None) -> str:
    """Return a user agent as one line without control characters, at most 200 long."""
    return "".join(character for character in agent or "" if character.isprintable())[:LONGEST_AGENT]
