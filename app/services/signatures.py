"""Statements signed with the installation's audit key (Ed25519): how they are written, and checked offline."""

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key


class Unreadable(Exception):
    """The file or the key is none that can be checked."""


def canonical(value: Any) -> bytes:
    """Return JSON in the one way in which it is hashed and signed: names sorted, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed(name: str, body: str, signature: bytes) -> dict[str, Any]:
    """Return a statement as files hold it: under its name, with its signature in base64."""
    return {name: json.loads(body), "signature": base64.b64encode(signature).decode()}


def is_signed(statement: object, signature: object, key: Ed25519PublicKey) -> bool:
    """Tell whether `signature`, as a file holds it, is the key's and of this statement."""
    try:
        key.verify(base64.b64decode(str(signature), validate=True), canonical(statement))
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key(pem: bytes) -> Ed25519PublicKey:
    """Return the key of a PEM file. Raises Unreadable for one of another kind, ValueError for what is no key."""
    key = load_pem_public_key(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise Unreadable("the key is not an Ed25519 public key")
    return key
