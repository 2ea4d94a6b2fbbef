"""Extra permissions of members: granted with a reason, to a last moment or for good, and ended."""

from datetime import date
from uuid import UUID

from sqlalchemy import select

from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from app.core.permissions import Permission, permissions_of, role_named
from app.db.units import Unit
from app.models.accounts import ExtraPermission, Membership
from app.services import audit
from app.services.authorities import handed, require_manageable, require_people
from app.services.key_rules import end_of
from app.services.memberships import get_member, lock_memberships
from app.tenancy.actors import ActorKind

# Owners alone: it comes with consent (`ownerships`).
NEVER = frozenset({Permission.OWNERSHIP_WRITE})


def list_extras(unit: Unit, user_id: UUID) -> list[ExtraPermission]:
    """Return the member's extra permissions, those that are over included. Needs tenant:people:read."""
    require_people(unit, Permission.PEOPLE_READ)
    statement = select(ExtraPermission).where(ExtraPermission.user_id == user_id)
    return list(unit.session.scalars(statement.order_by(ExtraPermission.permission)))


def grantable(unit: Unit, member: Membership) -> list[Permission]:
    """Return what the actor may grant beside the member's role, in alphabetical order."""
    mine, theirs = handed(unit), permissions_of(role_named(member.role))
    return [one for one in Permission if one in mine and one not in theirs and one not in NEVER]


def grant_extra(
    unit: Unit, user_id: UUID, permission: str, *, reason: str, last_day: date | None = None
) -> ExtraPermission:
    """Grant a member a permission beside their role's, through `last_day` (UTC) or for good. Needs tenant:people:write.

    Nobody grants what they lack, what they have as an extra themselves, or anything to themselves. One that is there
    already, in force or over, is put in place of. Raises NotFound, Invalid, Conflict, PermissionDenied.
    """
    require_people(unit, Permission.PEOPLE_WRITE)
    if unit.actor.kind is not ActorKind.USER or unit.actor.id is None:
        raise PermissionDenied("Extra permissions are granted by people.")
    lock_memberships(unit)
    member = get_member(unit, user_id)
    if user_id == unit.actor.id:
        raise PermissionDenied("Nobody grants themselves anything.")
    require_manageable(unit, member.role)
    problems, until = {}, None
    if permission not in set(Permission) - NEVER:
        problems["permission"] = "unknown"
    if not reason.strip() or len(reason) > 300 or not reason.isprintable():
        problems["reason"] = "one line of at most 300 characters"
    if last_day is not None:
        try:
            until = end_of(last_day, unit.now())
        except ValueError as error:
            problems["last_day"] = str(error)
    if problems:
        raise Invalid("The permission was not granted.", fields=problems)
    if permission in permissions_of(role_named(member.role)):
        raise Conflict(f"The role {member.role} has {permission} already.")
    if permission not in handed(unit):
        raise PermissionDenied(f"Nobody gives what they lack: {permission}.", extra={"permission": permission})
    return _write(unit, member, ExtraPermission(user_id=user_id, permission=permission, until=until, reason=reason))


def _write(unit: Unit, member: Membership, extra: ExtraPermission) -> ExtraPermission:
    same = (ExtraPermission.user_id == extra.user_id, ExtraPermission.permission == extra.permission)
    older = unit.session.scalars(select(ExtraPermission).where(*same)).one_or_none()
    if older is not None:
        unit.session.delete(older)
        unit.session.flush()
    extra.reason, extra.created_at = extra.reason.strip(), unit.now()
    extra.granted_by, extra.granted_label = unit.actor.id or member.user_id, unit.actor.label
    unit.session.add(extra)
    unit.session.flush()
    before = None if older is None else _told(older, member)
    audit.record(unit, "membership.grant", "membership", member.id, before=before, after=_told(extra, member))
    return extra


def end_extra(unit: Unit, user_id: UUID, extra_id: UUID) -> ExtraPermission:
    """Take an extra permission away, from the next request on. Needs tenant:people:write. Raises NotFound."""
    require_people(unit, Permission.PEOPLE_WRITE)
    lock_memberships(unit)
    member = get_member(unit, user_id)
    extra = unit.session.get(ExtraPermission, (unit.tenant_id, extra_id))
    if extra is None or extra.user_id != user_id:
        raise NotFound()
    require_manageable(unit, member.role)
    unit.session.delete(extra)
    unit.session.flush()
    audit.record(unit, "membership.take", "membership", member.id, before=_told(extra, member))
    return extra


def _told(extra: ExtraPermission, member: Membership) -> dict[str, object]:
    until = None if extra.until is None else extra.until.isoformat(timespec="seconds")
    return {"email": member.email, "permission": extra.permission, "until": until, "reason": extra.reason}
