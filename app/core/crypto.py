"""Secrets: envelope encryption of tenants' data, keyed hashes of credentials, passwords.

A tenant's data key (AES-256-GCM, 32 bytes) is wrapped by the master key. What is sealed is
`version (1 byte) || nonce (12) || ciphertext and tag`, bound to its purpose by the associated data.
"""

import hashlib
import hmac
import os
import secrets
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from time import monotonic
from typing import Protocol
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE = 12
_VERSION = b"\x01"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_passwords = PasswordHasher()
_CODE_COST = {"time_cost": 2, "memory_cost": 19_456, "parallelism": 1}


class KeyRing(Protocol):
    """Gives a tenant's data key. Raises LookupError where the tenant has none (any more)."""

    def data_key(self, tenant_id: UUID) -> bytes: ...


class Undecipherable(Exception):
    """A sealed value that this key and this purpose do not open."""


def seal(key: bytes, plain: bytes, purpose: bytes) -> bytes:
    """Return `plain` encrypted and authenticated under `key`, bound to `purpose`."""
    nonce = os.urandom(_NONCE)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plain, purpose)


def unseal(key: bytes, sealed: bytes, purpose: bytes) -> bytes:
    """Return what `seal` was given. Raises Undecipherable for another key, another purpose or a changed value."""
    if sealed[:1] != _VERSION:
        raise Undecipherable("unknown version")
    try:
        return AESGCM(key).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], purpose)
    except (InvalidTag, ValueError) as error:
        raise Undecipherable("does not open") from error


def new_wrapped_key(master: bytes, tenant_id: UUID) -> bytes:
    """Return a fresh data key for the tenant, wrapped by the master key."""
    return seal(master, os.urandom(KEY_BYTES), b"data-key:" + tenant_id.bytes)


def unwrap_key(master: bytes, tenant_id: UUID, wrapped: bytes) -> bytes:
    """Return the data key. Raises Undecipherable for another master key or tenant."""
    return unseal(master, wrapped, b"data-key:" + tenant_id.bytes)


class CachedKeyRing:
    """Data keys fetched by `load` and kept for a minute, the last 1,024 of them."""

    def __init__(self, master: bytes, load: Callable[[UUID], bytes | None], *, seconds: float = 60.0) -> None:
        self._master = master
        self._load = load
        self._seconds = seconds
        self._kept: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def data_key(self, tenant_id: UUID) -> bytes:
        """Return the tenant's data key. Raises LookupError where there is none."""
        with self._lock:
            kept = self._kept.get(tenant_id)
            if kept is not None and kept[0] > monotonic():
                self._kept.move_to_end(tenant_id)
                return kept[1]
        wrapped = self._load(tenant_id)
        if wrapped is None:
            raise LookupError("the tenant has no data key")
        key = unwrap_key(self._master, tenant_id, wrapped)
        with self._lock:
            self._kept[tenant_id] = (monotonic() + self._seconds, key)
            while len(self._kept) > 1024:
                self._kept.popitem(last=False)
        return key


def hash_password(password: str) -> str:
    """Return an argon2id hash."""
    return _passwords.hash(password)


def check_password(password: str, hashed: str | None) -> bool:
    """Tell whether `password` is the one that was hashed; takes as long for a wrong one, and for nobody's (None)."""
    try:
        return _passwords.verify(hashed or nobodys_hash(), password) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def nobodys_hash() -> str:
    """Return the hash of a password that nobody knows."""
    return hash_password(new_token())


def needs_rehash(hashed: str) -> bool:
    """Tell whether the hash was made with weaker parameters than today's."""
    return _passwords.check_needs_rehash(hashed)


def slow_hash(text: str, salt: bytes) -> bytes:
    """Return an argon2id hash (32 bytes) by which a short random text is found; `salt` is its owner's."""
    return hash_secret_raw(text.encode(), salt, **_CODE_COST, hash_len=32, type=Type.ID)


def new_token() -> str:
    """Return 256 random bits in URL-safe base64."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return the SHA-256 of a random token; enough, since the token holds 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def new_credential(kind: str) -> str:
    """Return `sntl_<kind>_<random><checksum>`: 30 base-62 characters (178 bits), then a CRC-32 in six."""
    body = f"sntl_{kind}_" + "".join(secrets.choice(_ALPHABET) for _ in range(30))
    return body + _base62(zlib.crc32(body.encode()), 6)


def credential_is_well_formed(text: str) -> bool:
    """Tell whether `text` has a credential's shape and checksum; says nothing of whether it was ever issued."""
    if not (text.startswith("sntl_") and text.isascii() and len(text) < 100 and text.count("_") == 2):
        return False
    body, checksum = text[:-6], text[-6:]
    return len(body.rsplit("_", 1)[-1]) == 30 and hmac.compare_digest(_base62(zlib.crc32(body.encode()), 6), checksum)


def credential_hash(credential: str, pepper: bytes) -> bytes:
    """Return the HMAC-SHA-256 under which a credential is kept and found."""
    return hmac.new(pepper, credential.encode(), hashlib.sha256).digest()


def pepper_mark(pepper: bytes) -> str:
    """Return eight characters by which hashes under `pepper` are told from others; it cannot be found from them."""
    return hashlib.sha256(b"pepper mark:" + pepper).hexdigest()[:8]
