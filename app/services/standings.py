"""What a tenant uses of its plan as staff see it, and what another plan would leave it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from app.db.oversight import Counted, OverrideRow
from app.services.plan_requests import Consequences, foresee
from app.services.plans import QUOTA_NAMES, PlanName, Quota, plan_of
from app.services.quota_summaries import Line


@dataclass(frozen=True, slots=True)
class Standing:
    """The use of a plan as it was counted at a moment; quotas that nothing measures are left out."""

    at: datetime
    lines: tuple[Line, ...]


def standing_of(counted: Counted | None) -> Standing | None:
    """Return what was counted in the words of the plan; None before the first time."""
    if counted is None:
        return None
    known = {str(quota): quota for quota in Quota}
    lines = (
        Line(known[one["quota"]], QUOTA_NAMES[known[one["quota"]]], one["used"], one["limit"], None, one["agreed"])
        for one in counted.lines
        if one["quota"] in known
    )
    return Standing(counted.at, tuple(lines))


def consequences_of(standing: Standing, present: str, overrides: Iterable[OverrideRow], plan: PlanName) -> Consequences:
    """Return what would exceed `plan`, and which features of the `present` plan it leaves out.

    What was agreed on with the tenant stays in force, so that it is not counted.
    """
    there = {line.quota: line.used for line in standing.lines if line.used is not None}
    return foresee(there, plan_of(PlanName(present)).features, plan, {one.name for one in overrides})


def other_plans(
    standing: Standing | None, present: str, overrides: Iterable[OverrideRow]
) -> Mapping[PlanName, Consequences]:
    """Return of each plan but the present one what it would leave the tenant; empty before the first count."""
    if standing is None:
        return {}
    known = list(overrides)
    return {plan: consequences_of(standing, present, known, plan) for plan in PlanName if plan != present}
