"""Who calls with an API key: last of all, and by each of its secrets."""

from collections.abc import Collection
from uuid import UUID

from app.core.permissions import Permission
from app.db import key_uses
from app.db.key_uses import KeyCaller
from app.db.units import Home, Unit
from app.services.access import require


def last_uses(unit: Unit, key_ids: Collection[UUID]) -> dict[UUID, KeyCaller]:
    """Return who used each key last, and when. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    found: dict[UUID, KeyCaller] = {}
    if key_ids:
        for caller in key_uses.callers(unit.at_home(Home.ACCOUNT).session, key_ids, most=1):
            found.setdefault(caller.key_id, caller)
    return found


def callers_of(unit: Unit, key_id: UUID) -> list[KeyCaller]:
    """Return the 20 newest callers of each of the key's secrets, newest first. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    return key_uses.callers(unit.at_home(Home.ACCOUNT).session, [key_id])
