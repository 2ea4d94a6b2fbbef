"""The keys that sign access tokens: ES256, private parts wrapped by the master key, public parts published.

A key is published for ten minutes before it signs, twice as long as the set may be kept by whoever fetched it, and
stays published until the last token that it signed is over. The first one signs at once. Nothing is kept in the
process but public keys; that a key was revoked is asked with every request.
"""

import threading
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from app.core import crypto
from app.core.ids import new_id
from app.db import tokens
from app.db.tokens import PublishedKey

ALGORITHM = "ES256"
MOST_AGE = timedelta(days=90)
LEAD = timedelta(minutes=10)
OVER = timedelta(minutes=16)
SET_KEPT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs now."""

    kid: str
    key: ECKey


def _purpose(kid: str) -> bytes:
    return b"signing-key:" + kid.encode()


def add_key(session: Session, master_key: bytes, *, most_age: timedelta = timedelta(0)) -> bool:
    """Make and publish a key. False where one waits to sign already, or the present one is younger than `most_age`."""
    made = ec.generate_private_key(ec.SECP256R1())
    private = made.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kid = _imported(public).thumbprint()
    wrapped = crypto.seal(master_key, private, _purpose(kid))
    return tokens.add_signing_key(session, kid, wrapped, public, lead=LEAD, most_age=most_age)


def signer(session: Session, master_key: bytes) -> Signer:
    """Return the key that signs now; where it is 90 days old or there is none, another one is added first."""
    found = tokens.signing_key(session, MOST_AGE)
    if found.due:
        add_key(session, master_key, most_age=MOST_AGE)
        found = tokens.signing_key(session, MOST_AGE)
    if found.kid is None or found.wrapped is None:
        raise LookupError("no key signs")
    private = load_der_private_key(crypto.unseal(master_key, found.wrapped, _purpose(found.kid)), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError("a signing key of another kind")
    return Signer(found.kid, ECKey.import_key(private))


def published(session: Session) -> list[PublishedKey]:
    """Return the keys by which tokens may be checked, newest first."""
    return tokens.published_keys(session, OVER)


def revoke(session: Session, kid: str | None) -> int:
    """Refuse what the key (None: any) has signed from the next request on; return how many keys. For emergencies."""
    revoked = tokens.revoke_signing_keys(session, kid)
    if revoked:
        tokens.note_signing_keys(session, new_id(), "signing-key.revoke", f"revoked: {kid or 'all keys'}")
    return revoked


def rotate(session: Session, master_key: bytes) -> bool:
    """Publish another key, on record; False where one waits to sign already. For the command line."""
    added = add_key(session, master_key)
    if added:
        tokens.note_signing_keys(session, new_id(), "signing-key.rotate", "another key is published")
    return added


def public_jwk(key: PublishedKey) -> dict[str, str]:
    """Return the key as a JSON Web Key (RFC 7517)."""
    told = _imported(key.public).as_dict(private=False)
    return {
        **{name: str(told[name]) for name in ("kty", "crv", "x", "y")},
        "kid": key.kid,
        "use": "sig",
        "alg": ALGORITHM,
    }


def _imported(public: bytes) -> ECKey:
    loaded = load_der_public_key(public)
    if not isinstance(loaded, ec.EllipticCurvePublicKey):
        raise TypeError("a signing key of another kind")
    return ECKey.import_key(loaded)


class PublicKeys:
    """The public keys that a process has seen, by their ids."""

    def __init__(self) -> None:
        self._kept: dict[str, ECKey] = {}
        self._lock = threading.Lock()

    def find(self, session: Session, kid: str) -> ECKey | None:
        """Return the key; one that is not known yet is looked for among those published."""
        kept = self._kept.get(kid)
        if kept is not None:
            return kept
        found = {key.kid: _imported(key.public) for key in published(session)}
        with self._lock:
            self._kept = found
        return found.get(kid)
