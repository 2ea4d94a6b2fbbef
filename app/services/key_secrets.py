"""The secrets of API keys: who may make them, how they are made, found for display, hashed anew, refused."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from app.core import crypto
from app.core.errors import PermissionDenied
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.accounts import ApiKey, ApiKeySecret
from app.services import audit
from app.services.access import require
from app.tenancy.actors import ActorKind

HINT = 13


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which is not kept."""

    key: ApiKey
    secret: str


def add_secret(unit: Unit, key: ApiKey, pepper: bytes) -> str:
    """Give a key that has none a present secret; return it, for it is kept as a hash alone."""
    secret = crypto.new_credential("key")
    unit.session.add(
        ApiKeySecret(
            key_id=key.id,
            hint=secret[:HINT],
            secret_hash=crypto.credential_hash(secret, pepper),
            pepper=crypto.pepper_mark(pepper),
            created_at=unit.now(),
        )
    )
    unit.session.flush()
    return secret


def require_person(unit: Unit) -> UUID:
    """Return the person who acts. Raises PermissionDenied for a key, and without tenant:keys:write."""
    require(unit, Permission.KEYS_WRITE)
    if unit.actor.kind is not ActorKind.USER or unit.actor.id is None:
        raise PermissionDenied("A key cannot make keys, nor change them.")
    return unit.actor.id


def require_held(unit: Unit, scopes: Sequence[str]) -> None:
    """Return if the actor holds all of `scopes`. Raises PermissionDenied, which names those that lack."""
    if lacking := sorted(set(scopes) - unit.actor.permissions):
        raise PermissionDenied("Nobody gives a key what they lack: " + ", ".join(lacking))


def present_secrets(unit: Unit, key_ids: Collection[UUID]) -> dict[UUID, ApiKeySecret]:
    """Return the present secret of each key. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    wanted = select(ApiKeySecret).where(ApiKeySecret.key_id.in_(set(key_ids)), ApiKeySecret.superseded_at.is_(None))
    return {secret.key_id: secret for secret in unit.session.scalars(wanted)}


def secrets_of(unit: Unit, key_id: UUID) -> list[ApiKeySecret]:
    """Return a key's secrets, the present one first. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    wanted = select(ApiKeySecret).where(ApiKeySecret.key_id == key_id)
    return list(unit.session.scalars(wanted.order_by(ApiKeySecret.created_at.desc(), ApiKeySecret.id.desc())))


def write_revocation(unit: Unit, key: ApiKey, *, reason: str | None = None) -> None:
    """Refuse the key from the next request on, and put that on record. Asks for no permission."""
    key.revoked_at = unit.now()
    after = {"revoked": True} if reason is None else {"revoked": True, "reason": reason}
    audit.record(unit, "api_key.revoke", "api_key", key.id, before={"name": key.name}, after=after)


def rehash_secret(unit: Unit, secret_id: UUID, new_hash: bytes, mark: str) -> None:
    """Keep a secret, which a call has just shown, under the pepper of that mark; one that was done already stays."""
    secret = unit.session.get(ApiKeySecret, (unit.tenant_id, secret_id))
    if secret is None or secret.pepper == mark:
        return
    secret.secret_hash, secret.pepper = new_hash, mark
    audit.record(unit, "api_key.rehash", "api_key", secret.key_id, after={"secret": secret.hint})
