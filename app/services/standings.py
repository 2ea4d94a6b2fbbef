"""What a tenant uses of its plan as staff see it, and what another plan would leave it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from app.db.oversight import Counted, OverrideRow
from app.services.plan_requests import Consequences
from app.services.plans import FEATURE_NAMES, QUOTA_NAMES, Feature, PlanName, Quota, plan_of
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
    agreed = {(one.kind, one.name) for one in overrides}
    wanted, has = plan_of(plan), plan_of(PlanName(present))
    beyond = []
    for line in standing.lines:
        limit = wanted.quotas[line.quota]
        if (
            limit is not None
            and line.used is not None
            and line.used > limit
            and ("quota", str(line.quota)) not in agreed
        ):
            beyond.append((line.name, line.used, limit))
    lost = [feature for feature in has.features - wanted.features if ("feature", str(feature)) not in agreed]
    return Consequences(tuple(beyond), tuple(sorted(_name(feature) for feature in lost)))


def other_plans(
    standing: Standing | None, present: str, overrides: Iterable[OverrideRow]
) -> Mapping[PlanName, Consequences]:
    """Return of each plan but the present one what it would leave the tenant; empty before the first count."""
    if standing is None:
        return {}
    known = list(overrides)
    return {plan: consequences_of(standing, present, known, plan) for plan in PlanName if plan != present}


def _name(feature: Feature) -> str:
    return FEATURE_NAMES[feature]
