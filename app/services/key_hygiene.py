"""Key hygiene: keys in force that nobody uses, that may more than they do, or that last longer than they should."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from app.core.errors import Invalid
from app.core.permissions import Permission
from app.db import key_uses
from app.db.key_uses import KeyCaller
from app.db.units import Unit
from app.models.accounts import ApiKey, ApiKeySecret
from app.services.access import require
from app.services.api_keys import revoke_key
from app.services.key_ceilings import Ceiling, ceiling_of
from app.services.key_rules import in_force

LOOKED_AT = 1_000
MOST_REVOKED = 100
SETTLED = timedelta(days=7)
IDLE = timedelta(days=90)


class Trait(StrEnum):
    """What is amiss with a key, the worst first."""

    OVERLAP = "overlap"
    NEVER_USED = "never-used"
    IDLE = "idle"
    UNUSED_SCOPES = "unused-scopes"
    OVER_CEILING = "over-ceiling"
    NO_EXPIRY = "no-expiry"


@dataclass(frozen=True, slots=True)
class Remark:
    """A key with what is amiss: `scopes` that it never exercised; when the old secret was used last."""

    key: ApiKey
    last_used_at: datetime | None
    scopes: tuple[str, ...] = ()
    old_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hygiene:
    """Remarks by trait, of the `looked_at` newest keys in force; `more` where there are further ones."""

    remarks: Mapping[Trait, list[Remark]]
    looked_at: int
    more: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of keys: by key their last use and the scopes they exercised; their secrets."""

    now: datetime
    ceiling: Ceiling
    last: Mapping[UUID, datetime]
    scopes: Mapping[UUID, Collection[str]]
    present: Mapping[UUID, ApiKeySecret]
    old_used: Mapping[UUID, datetime]


def look_over_keys(unit: Unit) -> Hygiene:
    """Return what is amiss with the keys in force, the newest thousand. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    now = unit.now()
    keys = unit.session.scalars(
        select(ApiKey).where(in_force(now)).order_by(ApiKey.created_at.desc(), ApiKey.id.desc()).limit(LOOKED_AT + 1)
    ).all()
    looked_at = keys[:LOOKED_AT]
    known = _known(unit, [key.id for key in looked_at])
    remarks: dict[Trait, list[Remark]] = {trait: [] for trait in Trait}
    for key in looked_at:
        for trait, remark in _remarks(key, known):
            remarks[trait].append(remark)
    return Hygiene(remarks, len(looked_at), len(keys) > LOOKED_AT)


def _known(unit: Unit, ids: list[UUID]) -> _Known:
    secrets = unit.session.scalars(select(ApiKeySecret).where(ApiKeySecret.key_id.in_(ids))).all()
    overlapping = {s.id: s for s in secrets if s.ends_at is not None and s.ends_at > unit.now()}
    callers: list[KeyCaller] = key_uses.callers(unit.session, ids, most=1) if ids else []
    last: dict[UUID, datetime] = {}
    old_used: dict[UUID, datetime] = {}
    for caller in callers:
        last[caller.key_id] = max(caller.last_at, last.get(caller.key_id, caller.last_at))
        old = overlapping.get(caller.secret_id)
        if old is not None and old.superseded_at is not None and caller.last_at > old.superseded_at:
            old_used[caller.key_id] = caller.last_at
    present = {s.key_id: s for s in secrets if s.superseded_at is None}
    scopes = key_uses.scopes_used(unit.session, ids) if ids else {}
    return _Known(unit.now(), ceiling_of(unit), last, scopes, present, old_used)


def _remarks(key: ApiKey, known: _Known) -> list[tuple[Trait, Remark]]:
    last, settled = known.last.get(key.id), known.now - key.created_at >= SETTLED
    unused = tuple(sorted(set(key.scopes) - set(known.scopes.get(key.id, ()))))
    found = {
        Trait.OVERLAP: key.id in known.old_used,
        Trait.NEVER_USED: last is None and settled,
        Trait.IDLE: last is not None and known.now - last >= IDLE,
        Trait.UNUSED_SCOPES: last is not None and settled and bool(unused),
        Trait.OVER_CEILING: known.ceiling.is_exceeded(key.expires_at, known.present[key.id].created_at),
        Trait.NO_EXPIRY: key.expires_at is None,
    }
    remark = Remark(key, last, unused, known.old_used.get(key.id))
    return [(trait, remark) for trait, is_so in found.items() if is_so]


def revoke_keys(unit: Unit, ids: Collection[UUID]) -> list[ApiKey]:
    """Revoke these keys, at most 100, from the next request on; return them. Needs tenant:keys:write.

    Raises Invalid for none or too many, NotFound where one of them is not the tenant's: then none is revoked.
    """
    require(unit, Permission.KEYS_WRITE)
    if not 1 <= len(set(ids)) <= MOST_REVOKED:
        raise Invalid(f"Choose from 1 to {MOST_REVOKED} keys.")
    return [revoke_key(unit, key_id) for key_id in dict.fromkeys(ids)]
