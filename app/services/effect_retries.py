"""Having an effect tried again at once that failed or was put off."""

from uuid import UUID

from app.core.errors import Conflict, NotFound, PermissionDenied
from app.db.units import Home, Unit
from app.models.accounts import AccountEffect
from app.models.trails import Effect
from app.services import audit
from app.tenancy.actors import ActorKind


def retry_effect(unit: Unit, effect_id: UUID, reason: str) -> None:
    """Make an effect of the unit's home due now; how often it was tried already stays known. Staff only.

    Raises PermissionDenied for a tenant's own people and keys, NotFound, Conflict where it has happened meanwhile.
    """
    if unit.actor.kind is not ActorKind.STAFF:
        raise PermissionDenied("Only the staff of the platform do this.")
    key = (unit.tenant_id, effect_id)
    found: Effect | AccountEffect | None
    if unit.home is Home.CONTENT:
        found = unit.session.get(Effect, key, with_for_update=True)
    else:
        found = unit.session.get(AccountEffect, key, with_for_update=True)
    if found is None:
        raise NotFound()
    if found.done_at is not None:
        raise Conflict("This has happened meanwhile.")
    found.due_at = unit.now()
    after = {"kind": found.kind, "attempts": found.attempts, "reason": reason}
    audit.record(unit, "effect.retry", "effect", found.id, after=after)
    unit.note_effect()
