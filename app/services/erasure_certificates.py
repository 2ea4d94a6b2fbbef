"""Certificates of erasure: what was removed of a tenant, and that nothing is left, signed; checked offline."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.db.erasures import Erasure
from app.services import signatures
from app.services.signatures import Unreadable, canonical

KIND = "sentinel erasure certificate 1"
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Line:
    """How much of one kind was removed, and is left."""

    kind: str
    name: str
    removed: int
    left: int


def compose(erasure: Erasure, removed: Counts, left: Counts, key: Ed25519PublicKey, now: datetime) -> bytes:
    """Return what is signed: ids and counts, and the reason in the words of whoever gave it. `left` is all zero."""
    return canonical(
        {
            "kind": KIND,
            "tenant": str(erasure.tenant_id),
            "slug": erasure.slug,
            "deleted_at": _moment(erasure.deleted_at),
            "begun_at": _moment(erasure.begun_at),
            "finished_at": _moment(now),
            "ordered": {
                "by": "retention" if erasure.order_id is None else "staff",
                "order": None if erasure.order_id is None else str(erasure.order_id),
                "staff": None if erasure.staff_id is None else str(erasure.staff_id),
                "reason": erasure.reason,
            },
            "rounds": erasure.round,
            "removed": removed,
            "left": left,
            "data_keys_destroyed": erasure.keys,
            "signed_with": fingerprint(key),
        }
    )


def signed(body: str, signature: bytes) -> bytes:
    """Return the certificate as a file: the body and its signature."""
    return canonical(signatures.signed("certificate", body, signature)) + b"\n"


def sign(key: Ed25519PrivateKey, body: bytes) -> bytes:
    """Return the signature of the installation's audit key."""
    return key.sign(body)


def verify(file: bytes, key: Ed25519PublicKey) -> tuple[dict[str, Any], list[str]]:
    """Return the certificate and what is wrong with it, in words. Raises Unreadable for any other file."""
    try:
        given = json.loads(file)
        body, signature = given["certificate"], given["signature"]
        kind = body["kind"]
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable("the file is no certificate of erasure") from error
    if kind != KIND:
        raise Unreadable("a certificate of another kind")
    faults = []
    if not signatures.is_signed(body, signature, key):
        faults.append("the signature is not by this key, or the certificate was changed")
    if remains := total(body.get("left", {})):
        faults.append(f"{remains} things were left")
    return body, faults


def lines(body: Mapping[str, Any]) -> list[Line]:
    """Return what a certificate counts, by kind and name."""
    removed, left = body["removed"], body["left"]
    names = {(kind, name) for counts in (removed, left) for kind in counts for name in counts[kind]}
    return [
        Line(kind, name, removed.get(kind, {}).get(name, 0), left.get(kind, {}).get(name, 0))
        for kind, name in sorted(names)
    ]


def total(counts: Counts) -> int:
    """Return the sum over all kinds and names."""
    return sum(number for names in counts.values() for number in names.values())


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of the public key's 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
