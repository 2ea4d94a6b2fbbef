"""API keys: issue (shown once), list, change, revoke."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.core import crypto
from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from app.core.permissions import KEY_SCOPES, Permission
from app.db.units import Unit
from app.models.accounts import ApiKey
from app.services import audit
from app.services.access import require
from app.services.key_rules import end_of, read_networks
from app.services.pages import Page, newest_first
from app.tenancy.actors import ActorKind

HINT = 13


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which is not kept."""

    key: ApiKey
    secret: str


def issue_key(
    unit: Unit,
    *,
    name: str,
    scopes: list[str],
    pepper: bytes,
    lifetime: timedelta | None = None,
    last_day: date | None = None,
    networks: Sequence[str] = (),
) -> IssuedKey:
    """Issue a key with `scopes`, all of which the actor holds. Needs tenant:keys:write; keys cannot make keys.

    It lasts for `lifetime` or through `last_day` (UTC), else for ever, and is accepted from `networks` alone where
    there are any. Raises Invalid for an empty or long name, no or unknown scopes, a lifetime that is not positive, a
    day that is over, a network that is none; PermissionDenied for a scope that the actor lacks.
    """
    require(unit, Permission.KEYS_WRITE)
    if unit.actor.kind is not ActorKind.USER or unit.actor.id is None:
        raise PermissionDenied("A key cannot make keys.")
    problems = _name_problem(name) | _problems(scopes, lifetime)
    found = _networks(networks, problems)
    expires_at = _expiry(unit.now(), lifetime, last_day, problems)
    if problems:
        raise Invalid("The key was not issued.", fields=problems)
    lacking = sorted(set(scopes) - unit.actor.permissions)
    if lacking:
        raise PermissionDenied("Nobody gives a key what they lack: " + ", ".join(lacking))
    secret = crypto.new_credential("key")
    key = ApiKey(
        name=name.strip(),
        hint=secret[:HINT],
        secret_hash=crypto.credential_hash(secret, pepper),
        pepper_version=1,
        scopes=sorted(set(scopes)),
        maker_id=unit.actor.id,
        maker_label=unit.actor.label,
        created_at=unit.now(),
        expires_at=expires_at,
        networks=found,
    )
    unit.session.add(key)
    unit.session.flush()
    given = {"name": key.name, "scopes": key.scopes, "networks": found, "expires_at": _written(expires_at)}
    audit.record(unit, "api_key.issue", "api_key", key.id, after=given)
    return IssuedKey(key, secret)


def _name_problem(name: str) -> dict[str, str]:
    if not name.strip():
        return {"name": "must not be empty"}
    if len(name.strip()) > 80 or any(ord(character) < 32 for character in name):
        return {"name": "at most 80 characters, on one line"}
    return {}


def _networks(lines: Sequence[str], problems: dict[str, str]) -> list[str]:
    try:
        return read_networks(lines)
    except ValueError as error:
        problems["networks"] = str(error)
        return []


def _expiry(
    now: datetime, lifetime: timedelta | None, last_day: date | None, problems: dict[str, str]
) -> datetime | None:
    if last_day is None:
        return None if lifetime is None else now + lifetime
    try:
        return end_of(last_day, now)
    except ValueError as error:
        problems["last_day"] = str(error)
        return None


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _problems(scopes: list[str], lifetime: timedelta | None) -> dict[str, str]:
    problems: dict[str, str] = {}
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
    return newest_first(unit, select(ApiKey), ApiKey.created_at, ApiKey.id, binding="keys", cursor=cursor, size=size)


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


def change_key(unit: Unit, key_id: UUID, *, name: str, networks: Sequence[str]) -> ApiKey:
    """Give the key another name and other networks, from the next request on. Needs tenant:keys:write.

    Raises Invalid for a name or a network that will not do, Conflict for a key that was revoked.
    """
    require(unit, Permission.KEYS_WRITE)
    key = get_key(unit, key_id)
    if key.revoked_at is not None:
        raise Conflict("A revoked key stays as it is.")
    problems = _name_problem(name)
    found = _networks(networks, problems)
    if problems:
        raise Invalid("The key was not changed.", fields=problems)
    before = {"name": key.name, "networks": key.networks}
    after = {"name": name.strip(), "networks": found}
    if after != before:
        key.name, key.networks = name.strip(), found
        audit.record(unit, "api_key.change", "api_key", key.id, before=before, after=after)
    return key


def revoke_key(unit: Unit, key_id: UUID) -> ApiKey:
    """Revoke the key from the next request on; a second time changes nothing. Needs tenant:keys:write."""
    require(unit, Permission.KEYS_WRITE)
    key = get_key(unit, key_id)
    if key.revoked_at is None:
        key.revoked_at = unit.now()
        audit.record(unit, "api_key.revoke", "api_key", key.id, before={"name": key.name}, after={"revoked": True})
    return key
