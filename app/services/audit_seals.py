"""Seals of the audit log: each signs the Merkle root of the events since the one before it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from app.core import crypto
from app.core.permissions import Permission
from app.db import directory
from app.db.units import Home, Unit, Units
from app.models.accounts import AccountAuditRemoval, AccountAuditSeal
from app.models.tables import AuditColumns, RemovalColumns, SealColumns
from app.models.trails import AuditRemoval, AuditSeal
from app.services import merkle
from app.services.access import require
from app.services.audit import LOGS
from app.services.audit_exports import Export, as_record, horizon
from app.services.signatures import canonical, signed

SEALS: dict[Home, type[AuditSeal] | type[AccountAuditSeal]] = {
    Home.ACCOUNT: AccountAuditSeal,
    Home.CONTENT: AuditSeal,
}
REMOVALS: dict[Home, type[AuditRemoval] | type[AccountAuditRemoval]] = {
    Home.ACCOUNT: AccountAuditRemoval,
    Home.CONTENT: AuditRemoval,
}
MOST_EVENTS = 1_000
_PURPOSE = b"audit-key"


@dataclass(frozen=True, slots=True)
class SealedLog:
    """How far one log is sealed: the last seal's number, hash (its head) and moment."""

    log: str
    number: int
    head: str
    at: datetime


def signing_key(session: Session, master_key: bytes) -> Ed25519PrivateKey:
    """Return the installation's key, made with the first call over all workers. For the worker."""
    wrapped = directory.audit_key(session)
    if wrapped is None:
        made = Ed25519PrivateKey.generate()
        raw = made.private_bytes_raw()
        directory.keep_audit_key(session, crypto.seal(master_key, raw, _PURPOSE), made.public_key().public_bytes_raw())
        wrapped = directory.audit_key(session)
    if wrapped is None:
        raise LookupError("the audit key was not kept")
    return Ed25519PrivateKey.from_private_bytes(crypto.unseal(master_key, wrapped, _PURPOSE))


def public_pem(session: Session) -> bytes | None:
    """Return the public key as PEM, or None before the first worker has made it. Anybody may have it."""
    raw = directory.audit_public_key(session)
    if raw is None:
        return None
    return Ed25519PublicKey.from_public_bytes(raw).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def seal_log(unit: Unit, key: Ed25519PrivateKey) -> int:
    """Seal what no open transaction can still precede in the unit's log; return how many events. For the worker.

    One sealer at a time has a log; whoever comes second seals nothing. At most 1,000 events are sealed by one call.
    """
    if not hold_log(unit):
        return 0
    table: type[AuditColumns] = LOGS[unit.home]
    last = _last_seal(unit)
    edge = horizon(unit)  # before the rows are read: whatever is older than the edge is visible then
    statement = select(table).where(table.transaction < edge)
    if last is not None:
        statement = statement.where(tuple_(table.transaction, table.id) > (last.last_transaction, last.last_id))
    rows = list(unit.session.scalars(statement.order_by(table.transaction, table.id).limit(MOST_EVENTS)))
    if rows:
        body = canonical(_statement(unit, last, rows))
        unit.session.add(
            SEALS[unit.home](
                number=1 if last is None else last.number + 1,
                last_transaction=rows[-1].transaction,
                last_id=rows[-1].id,
                body=body.decode(),
                hash=hashlib.sha256(body).digest(),
                signature=key.sign(body),
                sealed_at=unit.now(),
            )
        )
    done = edge if len(rows) < MOST_EVENTS else rows[-1].transaction
    directory.note_sealed(unit.session, str(unit.home), done - 1)
    return len(rows)


def hold_log(unit: Unit) -> bool:
    """Take the unit's log for this transaction; False where another one has it."""
    name = f"audit-seal:{unit.tenant_id}:{unit.home}"
    return bool(unit.session.scalar(select(func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0)))))


def _last_seal(unit: Unit) -> SealColumns | None:
    table: type[SealColumns] = SEALS[unit.home]
    return unit.session.scalar(select(table).order_by(table.number.desc()).limit(1))


def _statement(unit: Unit, last: SealColumns | None, rows: Sequence[AuditColumns]) -> dict[str, object]:
    """Return what the seal signs."""
    leaves = [merkle.leaf_hash(canonical(as_record(row, unit.home))) for row in rows]
    return {
        "tenant": str(unit.tenant_id),
        "log": str(unit.home),
        "number": 1 if last is None else last.number + 1,
        "first": str(rows[0].id),
        "last": str(rows[-1].id),
        "events": len(rows),
        "root": merkle.root(leaves).hex(),
        "previous": None if last is None else last.hash.hex(),
        "at": unit.now().astimezone(UTC).isoformat(timespec="microseconds"),
    }


def sealed_logs(unit: Unit) -> list[SealedLog]:
    """Return how far each log is sealed. Needs tenant:audit:read."""
    require(unit, Permission.AUDIT_READ)
    return last_heads(unit)


def last_heads(unit: Unit) -> list[SealedLog]:
    """Return the same to whoever works for the platform."""
    found: list[SealedLog] = []
    for home in SEALS:
        last = _last_seal(unit.at_home(home))
        if last is not None:
            found.append(SealedLog(str(home), last.number, last.hash.hex(), last.sealed_at))
    return found


def stream_sealed(units: Units, export: Export) -> Iterator[bytes]:
    """Yield the whole sealed log, one home after the other: the events of each seal as they were hashed, then it.

    Of seals that a removal has reached only they themselves are left; the removal stands after the last of them.
    """
    for home in SEALS:
        before: SealColumns | None = None
        while True:
            with units.reopen(export.unit, home) as unit:
                seal = _next_seal(unit, before)
                text = b"" if seal is None else _sealed_lines(unit, seal, before)
            if seal is None:
                break
            yield text
            before = seal


def _next_seal(unit: Unit, before: SealColumns | None) -> SealColumns | None:
    table: type[SealColumns] = SEALS[unit.home]
    return unit.session.scalar(select(table).where(table.number == (1 if before is None else before.number + 1)))


def _sealed_lines(unit: Unit, seal: SealColumns, before: SealColumns | None) -> bytes:
    table: type[AuditColumns] = LOGS[unit.home]
    place = tuple_(table.transaction, table.id)
    statement = select(table).where(place <= (seal.last_transaction, seal.last_id))
    if before is not None:
        statement = statement.where(place > (before.last_transaction, before.last_id))
    events = [
        as_record(row, unit.home) for row in unit.session.scalars(statement.order_by(table.transaction, table.id))
    ]
    lines = [signed("seal", seal.body, seal.signature)]
    removal = last_removal(unit)  # after the events are read: one that came meanwhile may have taken some of them
    if removal is None or removal.up_to < seal.number:
        lines = [*events, *lines]
    elif removal.up_to == seal.number:
        lines.append(signed("removal", removal.body, removal.signature))
    return b"".join(canonical(line) + b"\n" for line in lines)


def last_removal(unit: Unit) -> RemovalColumns | None:
    """Return the removal that reaches furthest in the unit's log."""
    table: type[RemovalColumns] = REMOVALS[unit.home]
    return unit.session.scalar(select(table).order_by(table.up_to.desc()).limit(1))
