"""Exports of everything that a tenant has: one at a time, streamed as an archive whose manifest the worker signs."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select

from app.core.errors import Conflict, Unavailable
from app.core.ids import new_id
from app.core.permissions import Permission
from app.db.units import Home, Unit, Units
from app.graph.gateway import Graph
from app.models.exports import Export
from app.models.tenants import Tenant
from app.outbox.requests import request_effect
from app.services import audit
from app.services.access import require
from app.services.audit_exports import horizon
from app.services.export_files import MANIFEST, SIGNATURE, Contents, Order
from app.services.signatures import canonical

log = structlog.get_logger(__name__)
# An export whose process has said nothing for so long is over.
STALE = timedelta(seconds=90)
SAYS_EVERY = 10.0
SIGNED_WITHIN = 30.0
SHOWN = 10


@dataclass(frozen=True, slots=True)
class _Ended:
    state: str
    files: int
    rows: int
    bytes: int


def begin_export(unit: Unit) -> Order:
    """Record that everything is taken out, and fix what belongs to the export. Needs tenant:ownership:write.

    Raises Conflict while another export of the tenant runs. The rows are read after the commit.
    """
    require(unit, Permission.OWNERSHIP_WRITE)
    name = f"export:{unit.tenant_id}"
    if not unit.session.scalar(select(func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0)))):
        raise Conflict("Another export is just beginning.")
    now = unit.now()
    running = _running(unit)
    if running is not None:
        if running.seen_at > now - STALE:
            raise Conflict("An export of this tenant runs already. Wait for it to end.")
        _end(unit, running, _Ended("broken", 0, 0, 0))
        unit.session.flush()
    row = Export(id=new_id(), state="running", asked_by=_person(unit), asked_label=unit.actor.label, asked_at=now)
    row.seen_at = now
    unit.session.add(row)
    audit.record(unit, "tenant.export", "export", row.id)
    tenant = unit.session.get_one(Tenant, unit.tenant_id)
    facts = {"id": str(tenant.id), **{name: getattr(tenant, name) for name in ("slug", "name", "plan", "status")}}
    horizons = {home: horizon(unit.at_home(home)) for home in Home}
    return Order(row.id, unit, now, facts, horizons)


def list_exports(unit: Unit) -> list[Export]:
    """Return the last exports, the newest first; one that stopped in silence is shown as broken. Needs ownership."""
    require(unit, Permission.OWNERSHIP_WRITE)
    rows = list(unit.session.scalars(select(Export).order_by(Export.asked_at.desc(), Export.id.desc()).limit(SHOWN)))
    for row in rows:
        if row.state == "running" and row.seen_at <= unit.now() - STALE:
            unit.session.expunge(row)
            row.state = "broken"
    return rows


def stream(units: Units, order: Order, graph: Graph | None, key_address: str) -> Iterator[bytes]:
    """Yield the archive. In memory is one short read at a time, and no transaction is open between two.

    An archive that cannot be completed breaks off: what arrived does not open. Raises Unavailable in its midst where
    the worker does not sign the manifest.
    """
    contents, said, ended = Contents(units, order, graph, key_address), time.monotonic(), False
    archive = contents.archive
    try:
        for part in contents.files():
            yield part
            if time.monotonic() - said > SAYS_EVERY:
                said = time.monotonic()
                _say(units, order)
        told, members = contents.manifest(), list(archive.members)
        yield from archive.add(MANIFEST, [told])
        yield from archive.add(SIGNATURE, [_signature(units, order, told)])
        last = b"".join(archive.close())
        rows, size = sum(member.rows for member in members), sum(member.bytes for member in members)
        _close(units, order, _Ended("complete", len(members), rows, size))
        ended = True
        yield last
    finally:
        if not ended:
            log.warning("export.broke_off", tenant=str(order.unit.tenant_id), export=str(order.id))
            _close(units, order, _Ended("broken", len(archive.members), 0, 0))


def sign_export(unit: Unit, export_id: UUID, key: Ed25519PrivateKey) -> None:
    """Sign the hash of the export's manifest, once. For the worker, which alone has the key."""
    row = unit.session.get_one(Export, (unit.tenant_id, export_id))
    if row.state != "running" or row.manifest_hash is None or row.signature is not None:
        return
    body = canonical(
        {
            "kind": "sentinel-export",
            "tenant": str(unit.tenant_id),
            "export": str(export_id),
            "manifest": row.manifest_hash.hex(),
            "at": unit.now().astimezone(UTC).isoformat(timespec="microseconds"),
        }
    )
    row.statement, row.signature = body.decode(), key.sign(body)


def _signature(units: Units, order: Order, told: bytes) -> bytes:
    """Have the manifest signed and return what the archive says of it."""
    with units.reopen(order.unit, Home.ACCOUNT) as unit:
        row = _row(unit, order)
        row.manifest_hash, row.seen_at = sha256(told).digest(), unit.now()
        request_effect(unit, "export.sign", {"export_id": str(order.id)})
        unit.commit()
    until, wait = time.monotonic() + SIGNED_WITHIN, 0.05
    while time.monotonic() < until:
        time.sleep(wait)
        wait = min(wait * 1.5, 1.0)
        with units.reopen(order.unit, Home.ACCOUNT) as unit:
            row = _row(unit, order)
            if row.signature is not None and row.statement is not None:
                signed = {"statement": json.loads(row.statement), "signature": row.signature.hex()}
                return canonical(signed) + b"\n"
    raise Unavailable("The export was not signed: no worker answers.")


def _say(units: Units, order: Order) -> None:
    with units.reopen(order.unit, Home.ACCOUNT) as unit:
        _row(unit, order).seen_at = unit.now()
        unit.commit()


def _close(units: Units, order: Order, ended: _Ended) -> None:
    with units.reopen(order.unit, Home.ACCOUNT) as unit:
        row = _row(unit, order)
        if row.state == "running":
            _end(unit, row, ended)
            unit.commit()


def _end(unit: Unit, row: Export, ended: _Ended) -> None:
    row.state, row.finished_at = ended.state, unit.now()
    row.files, row.rows, row.bytes = ended.files, ended.rows, ended.bytes
    after: dict[str, Any] = {"state": ended.state}
    if ended.state == "complete" and row.manifest_hash is not None:
        after |= {"rows": ended.rows, "bytes": ended.bytes, "manifest": row.manifest_hash.hex()}
    audit.record(unit, "export.end", "export", row.id, after=after)


def _running(unit: Unit) -> Export | None:
    return unit.session.scalar(select(Export).where(Export.state == "running"))


def _row(unit: Unit, order: Order) -> Export:
    return unit.session.get_one(Export, (unit.tenant_id, order.id))


def _person(unit: Unit) -> UUID:
    if unit.actor.id is None:
        raise Conflict("A person orders an export.")
    return unit.actor.id
