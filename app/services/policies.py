"""What a tenant asks of its people at sign-in: a second factor. Factors belong to people: no tenant changes them."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from app.core.errors import FactorRequired
from app.core.permissions import Permission
from app.db import factors
from app.db.units import Home, Unit
from app.models.accounts import Membership
from app.models.tenants import TenantPolicy
from app.services import audit
from app.services.access import require

SHOWN = 200


@dataclass(frozen=True, slots=True)
class MemberFactor:
    """A member, and whether they have a second factor."""

    user_id: UUID
    name: str
    email: str
    role: str
    has_factor: bool


@dataclass(frozen=True, slots=True)
class Conformity:
    """How many members have a second factor and how many lack one; the first by name, those who lack it before."""

    having: int
    lacking: int
    members: tuple[MemberFactor, ...]


def get_policy(unit: Unit) -> TenantPolicy:
    """Return what the tenant asks of its people. Needs tenant:sign-in:read."""
    require(unit, Permission.SIGN_IN_READ)
    return policy_of(unit)


def conformity(unit: Unit) -> Conformity:
    """Return which members have a second factor; 200 of them at most by name. Needs tenant:sign-in:read."""
    require(unit, Permission.SIGN_IN_READ)
    having, lacking = factor_standing(unit)
    order = (Membership.user_id.in_(having), func.lower(Membership.name), Membership.user_id)
    rows = unit.session.scalars(select(Membership).order_by(*order).limit(SHOWN))
    members = tuple(MemberFactor(row.user_id, row.name, row.email, row.role, row.user_id in having) for row in rows)
    return Conformity(len(having), lacking, members)


def factor_standing(unit: Unit) -> tuple[set[UUID], int]:
    """Return which members have a second factor, and how many have none; asks for no permission."""
    having = factors.members_with_factor(unit.session)
    count = unit.session.scalar(select(func.count()).select_from(Membership)) or 0
    return having, count - len(having)


def require_factor(unit: Unit, required: bool, *, conforms: bool) -> int:
    """Ask members for a second factor from now on, or no more; return how many sessions ended.

    Sessions that showed none end at once, wherever they are. Needs tenant:sign-in:write. Raises FactorRequired where
    whoever asks does not conform: nobody locks themselves out.
    """
    require(unit, Permission.SIGN_IN_WRITE)
    policy = policy_of(unit)
    if policy.mfa_required == required:
        return 0
    if required and not conforms:
        raise FactorRequired("Show a second factor yourself before you ask others for one.")
    policy.mfa_required = required
    unit.session.add(policy)
    unit.session.flush()
    before, after = {"mfa_required": not required}, {"mfa_required": required}
    audit.record(unit, "policy.update", "tenant", unit.tenant_id, before=before, after=after)
    return factors.end_weak_sessions(unit.session) if required else 0


def policy_of(unit: Unit) -> TenantPolicy:
    """Return what the tenant asks, in a row yet to be added where it never asked anything. Needs no permission."""
    found = unit.at_home(Home.ACCOUNT).session.get(TenantPolicy, unit.tenant_id)
    return found or TenantPolicy(mfa_required=False, sso_required=False, key_most_days=None, key_expiry_required=False)
