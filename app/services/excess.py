"""What is beyond the tenant's plan: which members, keys and workspaces those are, and what they may still do.

The rule. Of each quota that counts rows, as many as the plan allows stay as they are: owners first and then whoever was
there first; the oldest keys; the default workspace and then the oldest. The rest is read-only, and nothing is deleted.
When one that stays is given up (a person removed, a key revoked or expired, a workspace archived), the next comes in by
itself.

Which rows those are stands in the rows (`beyond_plan`), written with what changed it: a plan, an override, a row that
went. The directory mirrors it, so that every entrance learns it with who comes in and nothing is counted on the way.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import ColumnElement, TextClause, func, select, text

from app.core.permissions import Permission, Role, permissions_of
from app.db.units import Home, Unit
from app.models.accounts import ApiKey, Membership
from app.models.workspaces import Workspace
from app.services import audit, quotas
from app.services.access import may, require
from app.services.key_rules import in_force
from app.services.plans import PlanName, Quota, entitlements, forget_entitlements, plan_of
from app.tenancy.actors import Actor

BOUNDED = (Quota.API_KEYS, Quota.SEATS, Quota.WORKSPACES)
# A tenant keeps one that can act and one place to work in, whatever was agreed on.
_AT_LEAST: Mapping[Quota, int] = {Quota.SEATS: 1, Quota.WORKSPACES: 1}
RULES: Mapping[Quota, str] = {
    Quota.SEATS: "Owners stay first, then whoever was here first. The others can look, and change nothing.",
    Quota.API_KEYS: "The oldest keys stay. The others read, and change nothing.",
    Quota.WORKSPACES: "The default workspace stays, then the oldest. The others can be read, not changed.",
}
LISTED = 50
WRITTEN = 20


@dataclass(frozen=True, slots=True)
class ExcessRow:
    """A member (`id` is the person's), key or workspace that is read-only for the plan's sake."""

    id: UUID
    label: str


@dataclass(frozen=True, slots=True)
class Excess:
    """What is beyond one quota: how many of `used`, and the first 50 in the order in which they come in again.

    `rows` is None where the actor may not see which those are.
    """

    quota: Quota
    used: int
    limit: int
    count: int
    rows: tuple[ExcessRow, ...] | None


def read_only(actor: Actor, quota: Quota, *, owner: bool = False) -> Actor:
    """Return the actor as it may act while it is beyond `quota`.

    A person keeps what a viewer may, and an owner may still ask for another plan; a key keeps what it may read.
    """
    if quota is Quota.SEATS:
        kept = actor.permissions & permissions_of(Role.VIEWER)
        kept |= {str(Permission.PLAN_WRITE)} if owner else frozenset()
    else:
        kept = frozenset(permission for permission in actor.permissions if permission.endswith(":read"))
    return replace(actor, permissions=kept, withheld=actor.permissions - kept, beyond=str(quota))


def settle(unit: Unit, *which: Quota) -> bool:
    """Write anew which rows are beyond the plan, of all quotas or of those named; what changed is one audit row.

    Returns whether any became read-only by it. Call it after what may have changed it: another plan or figure, or a row
    less. Nobody adds one until the commit.
    """
    account = unit.at_home(Home.ACCOUNT)
    account.session.flush()
    forget_entitlements(unit)
    wanted = sorted(which or BOUNDED)
    for quota in wanted:  # always in this order: two that settle wait for each other, and never both
        quotas.lock_rows(unit, quota)
    limits = entitlements(unit).quotas
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for quota in wanted:
        limit = limits[quota]
        bound = None if limit is None else max(limit, _AT_LEAST.get(quota, 0))
        rows = account.session.execute(_SETTLE[quota], {"tenant": unit.tenant_id, "limit": bound}).all()
        if gone := sorted(row.label for row in rows if row.counts and row.beyond_plan):
            after[f"read_only_{quota}"] = _written(gone)
        if back := sorted(row.label for row in rows if row.counts and not row.beyond_plan):
            before[f"read_only_{quota}"] = _written(back)
    if before or after:
        audit.record(account, "plan.settle", "tenant", unit.tenant_id, before=before or None, after=after or None)
    return bool(after)


def _written(labels: Sequence[str]) -> list[str]:
    more = len(labels) - WRITTEN
    return [*labels[:WRITTEN], f"and {more:,} more"] if more > 0 else list(labels)


_SETTLE: Mapping[Quota, TextClause] = {
    Quota.SEATS: text(
        "WITH placed AS (SELECT id, coalesce(row_number() OVER (ORDER BY role = 'owner' DESC, created_at, id) "
        "> CAST(:limit AS bigint), false) AS beyond FROM account.memberships WHERE tenant_id = :tenant) "
        "UPDATE account.memberships m SET beyond_plan = p.beyond FROM placed p "
        "WHERE m.tenant_id = :tenant AND m.id = p.id AND m.beyond_plan <> p.beyond "
        "RETURNING m.email AS label, m.beyond_plan, true AS counts"
    ),
    # One that has expired takes no place. It is marked all the same while others wait: an expired key without the mark
    # is how the worker finds a tenant in which a place has come free since.
    Quota.API_KEYS: text(
        "WITH keys AS (SELECT id, created_at, expires_at IS NULL OR expires_at > clock_timestamp() AS living "
        "FROM account.api_keys WHERE tenant_id = :tenant AND revoked_at IS NULL), "
        "placed AS (SELECT id, living, coalesce(CASE WHEN living THEN row_number() OVER "
        "(PARTITION BY living ORDER BY created_at, id) ELSE count(*) FILTER (WHERE living) OVER () END "
        "> CAST(:limit AS bigint), false) AS beyond FROM keys) "
        "UPDATE account.api_keys k SET beyond_plan = p.beyond FROM placed p "
        "WHERE k.tenant_id = :tenant AND k.id = p.id AND k.beyond_plan <> p.beyond "
        "RETURNING k.name AS label, k.beyond_plan, p.living AS counts"
    ),
    Quota.WORKSPACES: text(
        "WITH placed AS (SELECT id, coalesce(row_number() OVER (ORDER BY id = tenant_id DESC, created_at, id) "
        "> CAST(:limit AS bigint), false) AS beyond FROM account.workspaces "
        "WHERE tenant_id = :tenant AND archived_at IS NULL), "
        "wanted AS (SELECT w.id, coalesce(p.beyond, false) AS beyond, p.id IS NOT NULL AS counts "
        "FROM account.workspaces w LEFT JOIN placed p ON p.id = w.id WHERE w.tenant_id = :tenant) "
        "UPDATE account.workspaces w SET beyond_plan = p.beyond FROM wanted p "
        "WHERE w.tenant_id = :tenant AND w.id = p.id AND w.beyond_plan <> p.beyond "
        "RETURNING w.name AS label, w.beyond_plan, p.counts"
    ),
}


def list_excess(unit: Unit) -> list[Excess]:
    """Return what is beyond the plan, by quota; those of which there is any. Needs tenant:plan:read."""
    require(unit, Permission.PLAN_READ)
    account = unit.at_home(Home.ACCOUNT)
    limits = entitlements(unit).quotas
    found = []
    for quota in BOUNDED:
        count = account.session.scalar(select(func.count()).where(*_beyond(unit, quota))) or 0
        if count:
            rows = _rows(account, quota, LISTED) if may(unit, _SEEN_BY[quota]) else None
            found.append(Excess(quota, quotas.count_rows_of(unit, quota), limits[quota] or 0, count, rows))
    return found


_SEEN_BY: Mapping[Quota, Permission] = {
    Quota.SEATS: Permission.PEOPLE_READ,
    Quota.API_KEYS: Permission.KEYS_READ,
    Quota.WORKSPACES: Permission.WORKSPACES_READ,
}


def _beyond(unit: Unit, quota: Quota) -> list[ColumnElement[bool]]:
    if quota is Quota.SEATS:
        return [Membership.beyond_plan.is_(True)]
    if quota is Quota.WORKSPACES:
        return [Workspace.beyond_plan.is_(True), Workspace.archived_at.is_(None)]
    return [ApiKey.beyond_plan.is_(True), in_force(unit.now())]


def _rows(unit: Unit, quota: Quota, most: int) -> tuple[ExcessRow, ...]:
    session, which = unit.session, _beyond(unit, quota)
    if quota is Quota.SEATS:
        order = ((Membership.role == Role.OWNER).desc(), Membership.created_at, Membership.id)
        people = session.scalars(select(Membership).where(*which).order_by(*order).limit(most))
        return tuple(ExcessRow(row.user_id, row.email) for row in people)
    if quota is Quota.API_KEYS:
        keys = session.scalars(select(ApiKey).where(*which).order_by(ApiKey.created_at, ApiKey.id).limit(most))
        return tuple(ExcessRow(row.id, row.name) for row in keys)
    places = session.scalars(select(Workspace).where(*which).order_by(Workspace.created_at, Workspace.id).limit(most))
    return tuple(ExcessRow(row.id, row.name) for row in places)


def names_beyond(unit: Unit, most: int) -> list[tuple[Quota, tuple[str, ...], int]]:
    """Return for each quota that is exceeded the names of the first `most` beyond it, and how many there are.

    Asks for no permission: for mail to the owners.
    """
    account, found = unit.at_home(Home.ACCOUNT), []
    for quota in BOUNDED:
        count = account.session.scalar(select(func.count()).where(*_beyond(unit, quota))) or 0
        if count:
            found.append((quota, tuple(row.label for row in _rows(account, quota, most)), count))
    return found


def foresee(unit: Unit, plan: PlanName) -> list[tuple[Quota, int, int]]:
    """Return what would be read-only with `plan`: the quota, how many there are, how many it allows.

    What was agreed on with the tenant holds whatever its plan. Asks for no permission.
    """
    return beyond({quota: quotas.count_rows_of(unit, quota) for quota in BOUNDED}, plan, entitlements(unit).overridden)


def beyond(there: Mapping[Quota, int], plan: PlanName, agreed: Collection[str]) -> list[tuple[Quota, int, int]]:
    """Return of which quotas there is more than `plan` allows, but for those with a figure of the tenant's own."""
    bounds = plan_of(plan).quotas
    asked = [(quota, used, bounds[quota]) for quota, used in there.items() if str(quota) not in agreed]
    return [(quota, used, limit) for quota, used, limit in asked if limit is not None and used > limit]
