"""Mail to the owners before and at the end of a trial, and when something became read-only: with what it tells of."""

from datetime import datetime, timedelta

from app.db.units import Unit
from app.models.tenants import Tenant
from app.services import audit, excess, notices, plan_requests
from app.services.plans import QUOTA_NAMES, PlanName, entitlements, plan_of

LEVELS = (1, 3, 7)
NAMED = 5


def level_of(ends_at: datetime, now: datetime) -> int | None:
    """Return the smallest of 1, 3 and 7 days within which the trial ends; None earlier, and once it is over."""
    left = ends_at - now
    return next((level for level in LEVELS if timedelta(0) < left <= timedelta(days=level)), None)


def remind(unit: Unit) -> bool:
    """Remind the owners of the trial's end if they were not told of it at this level; False where nothing is due.

    One that the worker was too late for is left out: the next says as much. Mark and mail are one commit.
    """
    tenant = unit.session.get_one(Tenant, unit.tenant_id, with_for_update=True)
    if tenant.status != "trial" or tenant.trial_ends_at is None:
        return False
    level = level_of(tenant.trial_ends_at, unit.now())
    if level is None or (tenant.trial_reminded is not None and tenant.trial_reminded <= level):
        return False
    audit.record(
        unit,
        "tenant.remind-trial",
        "tenant",
        tenant.id,
        before={"days": tenant.trial_reminded},
        after={"days": level, "trial_ends_at": tenant.trial_ends_at.isoformat(timespec="seconds")},
    )
    tenant.trial_reminded = level
    _tell_of_coming_end(unit, tenant, tenant.trial_ends_at)
    return True


def _tell_of_coming_end(unit: Unit, tenant: Tenant, ends_at: datetime) -> None:
    has = entitlements(unit)
    lines = [
        f"The trial of {plan_of(has.plan).name} for {tenant.name} ends on {ends_at:%-d %B %Y at %H:%M} UTC. "
        "The tenant is on the plan Free from then on, and nothing is deleted."
    ]
    beyond = excess.foresee(unit, PlanName.FREE)
    if beyond:
        told = "; ".join(f"{QUOTA_NAMES[quota]}: {used:,} used, {limit:,} allowed" for quota, used, limit in beyond)
        lines.append(f"What Free has no room for becomes read-only: {told}.")
    if lost := plan_requests.lost_with(has.features, PlanName.FREE, has.overridden):
        lines.append("Free does not include: " + ", ".join(lost) + ".")
    if not beyond:
        lines.append("All people, keys and workspaces that are there fit into Free.")
    lines.append("To keep what you have, ask for a plan before that.")
    subject = f"{tenant.name}: the trial ends {_when(ends_at - unit.now())}"
    notices.tell_owners(unit, subject, lines, f"/t/{tenant.slug}/plan/comparison")


def _when(left: timedelta) -> str:
    days = -(-left // timedelta(days=1))
    return "within a day" if days <= 1 else f"in {days} days"


def tell_of_end(unit: Unit, tenant: Tenant) -> None:
    """Tell the owners that the trial is over, and what is read-only now: part of ending it."""
    lines = [f"The trial for {tenant.name} is over: the tenant is on the plan Free. Nothing was deleted."]
    beyond = _beyond(unit) or ["All people, keys and workspaces that are there fit into it."]
    notices.tell_owners(unit, f"{tenant.name}: the trial is over", [*lines, *beyond], f"/t/{tenant.slug}/plan")


def tell_of_excess(unit: Unit, what: str) -> None:
    """Tell the owners what is read-only now, and by `what` (a sentence): part of what made it so."""
    tenant = unit.session.get_one(Tenant, unit.tenant_id)
    lines = [f"{what} Nothing was deleted.", *_beyond(unit)]
    notices.tell_owners(unit, f"{tenant.name}: some of it is read-only now", lines, f"/t/{tenant.slug}/plan")


def _beyond(unit: Unit) -> list[str]:
    lines = []
    for quota, names, count in excess.names_beyond(unit, NAMED):
        more = f" and {count - len(names):,} more" if count > len(names) else ""
        lines.append(f"Read-only now, {QUOTA_NAMES[quota]}: {', '.join(names)}{more}.")
    if lines:
        lines.append("With a larger plan, or once others are given up, they are as before.")
    return lines
