"""Answers kept for requests that carry an Idempotency-Key, so that one sent again is not carried out again.

After draft-ietf-httpapi-idempotency-key-header. An answer belongs to tenant, credential, key and route; it is written
in the transaction of the work, so that what is rolled back leaves none, and lasts for 24 hours.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text

from app.core.errors import KeyReused, RequestInProgress
from app.db.units import Home, Unit
from app.models.accounts import AccountKeptAnswer
from app.models.tables import AnswerColumns
from app.models.trails import KeptAnswer

LASTS = timedelta(hours=24)
TABLES: dict[Home, type[KeptAnswer] | type[AccountKeptAnswer]] = {
    Home.CONTENT: KeptAnswer,
    Home.ACCOUNT: AccountKeptAnswer,
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that is the first of its key at this moment; its hashes are keyed with the tenant's data key."""

    route: str
    key_hash: bytes
    body_hash: bytes


def begin(unit: Unit, key: str, *, route: str, body: bytes) -> tuple[Attempt, AnswerColumns | None]:
    """Claim `key` on `route` for this transaction; return what was answered before, if anything was.

    `route` is method and address. Raises RequestInProgress while another transaction has claimed it, KeyReused where it
    came with another body.
    """
    attempt = Attempt(route, _mark(unit, b"key", f"{route}\0{key}".encode()), _mark(unit, b"body", body))
    if not unit.session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _lock(unit, attempt)}):
        raise RequestInProgress(
            "A request with this Idempotency-Key is still at work. Ask again in a moment.", headers={"Retry-After": "1"}
        )
    table: type[AnswerColumns] = TABLES[unit.home]
    found = unit.session.scalar(
        select(table).where(table.credential_id == unit.actor.id, table.key_hash == attempt.key_hash)
    )
    if found is not None and found.expires_at <= unit.now():
        unit.session.delete(found)
        unit.session.flush()
        found = None
    if found is not None and not hmac.compare_digest(found.body_hash, attempt.body_hash):
        raise KeyReused("This Idempotency-Key was sent with another body. Use a new one for a new request.")
    return attempt, found


def keep(unit: Unit, attempt: Attempt, *, status: int, location: str | None, body: str) -> None:
    """Keep the answer, in the same transaction as the work. It holds no secret: that is the caller's business."""
    now = unit.now()
    unit.session.add(
        TABLES[unit.home](
            credential_id=unit.actor.id,
            key_hash=attempt.key_hash,
            body_hash=attempt.body_hash,
            route=attempt.route,
            status=status,
            location=location,
            body=body,
            created_at=now,
            expires_at=now + LASTS,
        )
    )


def sweep(unit: Unit, now: datetime) -> None:
    """Delete what expired before `now`. For the worker: asks for no permission."""
    table = TABLES[unit.home]
    unit.session.execute(delete(table).where(table.expires_at <= now).execution_options(synchronize_session=False))


def _mark(unit: Unit, purpose: bytes, message: bytes) -> bytes:
    return hmac.new(
        unit.keys.data_key(unit.tenant_id), b"idempotency-" + purpose + b"\0" + message, hashlib.sha256
    ).digest()


def _lock(unit: Unit, attempt: Attempt) -> int:
    """Return the number of the advisory lock: tenant and route are in the hash, the credential is added."""
    whose = unit.actor.id.bytes if unit.actor.id else b""
    return int.from_bytes(hashlib.sha256(whose + attempt.key_hash).digest()[:8], "big", signed=True)
