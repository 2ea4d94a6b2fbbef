"""API keys: issue (shown once), list, revoke."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.core import crypto
from app.core.errors import Invalid, NotFound, PermissionDenied
from app.core.permissions import KEY_SCOPES, Permission
from app.db.units import Unit
from app.models.accounts import ApiKey
from app.services import audit
from app.services.access import require
from app.services.pages import Page, cut, decode_cursor
from app.tenancy.actors import ActorKind

HINT = 13


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which is not kept."""

    key: ApiKey
    secret: str


def issue_key(
    unit: Unit, *, name: str, scopes: list[str], pepper: bytes, lifetime: timedelta | None = None
) -> IssuedKey:
    """Issue a key with `scopes`, all of which the actor holds. Needs tenant:keys:write; keys cannot make keys.

    Raises Invalid for an empty or long name, no or unknown scopes, a lifetime that is not positive; PermissionDenied
    for a scope that the actor lacks.
    """
    require(unit, Permission.KEYS_WRITE)
    if unit.actor.kind is not ActorKind.USER or unit.actor.id is None:
        raise PermissionDenied("A key cannot make keys.")
    problems = _problems(name, scopes, lifetime)
    if problems:
        raise Invalid("The key was not issued.", fields=problems)
    lacking = sorted(set(scopes) - unit.actor.permissions)
    if lacking:
        raise PermissionDenied("Nobody gives a key what they lack: " + ", ".join(lacking))
    secret = crypto.new_credential("key")
    now = unit.now()
    key = ApiKey(
        name=name.strip(),
        hint=secret[:HINT],
        secret_hash=crypto.credential_hash(secret, pepper),
        pepper_version=1,
        scopes=sorted(set(scopes)),
        maker_id=unit.actor.id,
        maker_label=unit.actor.label,
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
    )
    unit.session.add(key)
    unit.session.flush()
    audit.record(unit, "api_key.issue", "api_key", key.id, after={"name": key.name, "scopes": key.scopes})
    return IssuedKey(key, secret)


def _problems(name: str, scopes: list[str], lifetime: timedelta | None) -> dict[str, str]:
    problems: dict[str, str] = {}
    if not name.strip():
        problems["name"] = "must not be empty"
    elif len(name) > 80 or any(ord(character) < 32 for character in name):
        problems["name"] = "at most 80 characters, on one line"
    if not scopes:
        problems["scopes"] = "choose at least one"
    elif unknown := sorted(set(scopes) - {str(scope) for scope in KEY_SCOPES}):
        problems["scopes"] = "unknown: " + ", ".join(unknown)
    if lifetime is not None and lifetime <= timedelta(0):
        problems["lifetime"] = "must lie in the future"
    return problems


def list_keys(unit: Unit, *, cursor: str | None = None, size: int = 50) -> Page[ApiKey]:
    """Return the keys, newest first. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    statement = select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.id.desc()).limit(size + 1)
    if after := decode_cursor(unit, cursor, "keys"):
        statement = statement.where(
            (ApiKey.created_at < after.at) | ((ApiKey.created_at == after.at) & (ApiKey.id < after.id))
        )
    return cut(unit, list(unit.session.scalars(statement)), size, "keys", lambda key: (key.created_at, key.id))


def count_keys(unit: Unit) -> int:
    """Return how many keys are not revoked."""
    return unit.session.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.revoked_at.is_(None))) or 0


def get_key(unit: Unit, key_id: UUID) -> ApiKey:
    """Return the key. Needs tenant:keys:read. Raises NotFound."""
    require(unit, Permission.KEYS_READ)
    key = unit.session.get(ApiKey, (unit.tenant_id, key_id))
    if key is None:
        raise NotFound()
    return key


def revoke_key(unit: Unit, key_id: UUID) -> ApiKey:
    """Revoke the key from the next request on; a second time changes nothing. Needs tenant:keys:write."""
    require(unit, Permission.KEYS_WRITE)
    key = get_key(unit, key_id)
    if key.revoked_at is None:
        key.revoked_at = unit.now()
        audit.record(unit, "api_key.revoke", "api_key", key.id, before={"name": key.name}, after={"revoked": True})
    return key
