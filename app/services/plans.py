"""Plans: the file that says what each allows, checked when it is loaded, and what it comes to for one tenant."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from sqlalchemy import text

from app.core.errors import FeatureMissing, NotFound
from app.db.directory import TenantView
from app.db.units import Home, Unit
from app.scanners.catalogue import TOOLS
from app.tenancy.placements import Isolation

FILE = Path(__file__).with_name("plans.yaml")
UNLIMITED = "unlimited"


class PlanName(StrEnum):
    """Every plan, from the smallest to the largest."""

    FREE = "free"
    STARTER = "starter"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"
    CUSTOM = "custom"


class Feature(StrEnum):
    """What a plan includes or not; its name in the file."""

    AUDIT_EXPORT = "audit_export"
    SCIM = "scim"
    SSO = "sso"


class Quota(StrEnum):
    """What a plan bounds by a number; its name in the file."""

    SEATS = "seats"
    WORKSPACES = "workspaces"
    API_KEYS = "api_keys"
    SCANS = "scans"
    TEXTS = "texts"
    CONCURRENT_SCANS = "concurrent_scans"
    SENSORS = "sensors"
    STORAGE_GB = "storage_gb"
    LLM_TOKENS_DAY = "llm_tokens_day"
    LLM_TOKENS_MONTH = "llm_tokens_month"


class Rate(StrEnum):
    """What a plan bounds by the minute; its name in the file."""

    API_REQUESTS = "api_requests"
    SCAN_STARTS = "scan_starts"


FEATURE_NAMES: Mapping[Feature, str] = {
    Feature.AUDIT_EXPORT: "Export of the audit log",
    Feature.SCIM: "Provisioning by SCIM",
    Feature.SSO: "Single sign-on",
}
QUOTA_NAMES: Mapping[Quota, str] = {
    Quota.SEATS: "Seats",
    Quota.WORKSPACES: "Workspaces",
    Quota.API_KEYS: "API keys",
    Quota.SCANS: "Scans a month",
    Quota.TEXTS: "Texts checked a month",
    Quota.CONCURRENT_SCANS: "Scans at once",
    Quota.SENSORS: "Sensors",
    Quota.STORAGE_GB: "Storage in GB",
    Quota.LLM_TOKENS_DAY: "LLM tokens a day",
    Quota.LLM_TOKENS_MONTH: "LLM tokens a month",
}
RATE_NAMES: Mapping[Rate, str] = {Rate.API_REQUESTS: "API calls a minute", Rate.SCAN_STARTS: "Scan starts a minute"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Queue(_Strict):
    """A plan's share of the machines: workers, and priority from 1 (low) to 3 (high)."""

    workers: int = Field(ge=1)
    priority: int = Field(ge=1, le=3)


class Plan(_Strict):
    """One plan; a quota of None has no bound. `price` is in dollars a month, None where it is agreed on."""

    name: str
    price: int | None
    isolation: Isolation
    retention_days: int = Field(ge=1)
    queue: Queue
    tools: frozenset[str]
    features: frozenset[Feature]
    quotas: dict[Quota, int | None]
    rates: dict[Rate, int]

    @field_validator("price", mode="before")
    @classmethod
    def _agreed(cls, value: object) -> object:
        return None if value == "custom" else value

    @field_validator("quotas", mode="before")
    @classmethod
    def _bounds(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: None if bound == UNLIMITED else bound for name, bound in value.items()}

    @model_validator(mode="after")
    def _complete(self) -> "Plan":
        if set(self.quotas) != set(Quota):
            raise ValueError("a plan names every quota")
        if set(self.rates) != set(Rate) or min(self.rates.values()) < 1:
            raise ValueError("a plan names every rate, each at least 1")
        if any(bound is not None and bound < 1 for bound in self.quotas.values()):
            raise ValueError("a quota is at least 1")
        if unknown := self.tools - set(TOOLS):
            raise ValueError(f"no such tool: {', '.join(sorted(unknown))}")
        return self


Document = Mapping[str, Mapping[str, Any]]


class PlanFile(_Strict):
    """The whole file; `documents` are the figures that the choices were made from."""

    version: Literal[1]
    documents: dict[Literal["A", "B", "C"], Document]
    plans: dict[PlanName, Plan]

    @model_validator(mode="after")
    def _every_plan_and_rising(self) -> "PlanFile":
        if list(self.plans) != list(PlanName):
            raise ValueError("the file holds every plan, from the smallest to the largest")
        for smaller, larger in zip(list(self.plans.values()), list(self.plans.values())[1:], strict=False):
            if not smaller.features <= larger.features or not smaller.tools <= larger.tools:
                raise ValueError(f"{larger.name} lacks what {smaller.name} has")
        return self


@lru_cache(maxsize=1)
def load_plans() -> PlanFile:
    """Return the file. Raises pydantic.ValidationError that names what is wrong in it."""
    return read_plans(FILE.read_text(encoding="utf-8"))


def read_plans(words: str) -> PlanFile:
    """Return the plans that `words` (YAML) holds. Raises pydantic.ValidationError."""
    return PlanFile.model_validate(yaml.safe_load(words))


def plan_named(name: str) -> PlanName:
    """Return the plan called `name`; "pro" is accepted for professional. Raises ValueError for any other."""
    return PlanName.PROFESSIONAL if name == "pro" else PlanName(name)


def plan_of(name: PlanName) -> Plan:
    """Return what a plan allows."""
    return load_plans().plans[name]


def plans_with(feature: Feature) -> list[PlanName]:
    """Return the plans that include `feature`, smallest first."""
    return [name for name, plan in load_plans().plans.items() if feature in plan.features]


@dataclass(frozen=True, slots=True)
class Override:
    """What was agreed on with one tenant, in place of its plan's figure: `kind` is quota, rate or feature.

    `value` is the bound (None: unlimited), or 1 and 0 for a feature that is given or taken away.
    """

    kind: str
    name: str
    value: int | None


@dataclass(frozen=True, slots=True)
class Entitlements:
    """What a tenant may have now: its plan, with what was agreed on in place of the plan's figures."""

    plan: PlanName
    slug: str
    status: str
    quotas: Mapping[Quota, int | None]
    rates: Mapping[Rate, int]
    features: frozenset[Feature]
    tools: frozenset[str]
    queue: Queue
    overridden: frozenset[str]

    @property
    def open(self) -> bool:
        """Whether the tenant works: it is neither suspended nor deleted."""
        return self.status in ("trial", "active")


def entitled(plan: PlanName, slug: str, status: str, overrides: list[Override]) -> Entitlements:
    """Return what `plan` comes to with `overrides`; one that names nothing known changes nothing."""
    allowed = plan_of(plan)
    quotas, rates, features = dict(allowed.quotas), dict(allowed.rates), set(allowed.features)
    for override in overrides:
        if override.kind == "quota" and override.name in set(Quota):
            quotas[Quota(override.name)] = override.value
        elif override.kind == "rate" and override.name in set(Rate) and override.value is not None:
            rates[Rate(override.name)] = override.value
        elif override.kind == "feature" and override.name in set(Feature):
            (features.add if override.value else features.discard)(Feature(override.name))
    named = frozenset(override.name for override in overrides)
    return Entitlements(plan, slug, status, quotas, rates, frozenset(features), allowed.tools, allowed.queue, named)


_OWN = text(
    "SELECT t.plan, t.slug, t.status, o.kind, o.name, o.value FROM control.tenants t "
    "LEFT JOIN control.plan_overrides o ON o.tenant_id = t.id AND o.ended_at IS NULL "
    "AND (o.until IS NULL OR o.until > clock_timestamp()) WHERE t.id = :tenant"
)


def entitlements(unit: Unit) -> Entitlements:
    """Return what the unit's tenant may have now, read once for each unit, or as it was told with an API key."""
    session = unit.at_home(Home.ACCOUNT).session
    known: Entitlements | None
    of_tenant, known = session.info.get("entitlements", (None, None))
    if known is None or of_tenant != unit.tenant_id:
        told: TenantView | None = session.info.get("told")
        known = _told(told) if told is not None and told.id == unit.tenant_id else _read(unit)
        session.info["entitlements"] = (unit.tenant_id, known)
    return known


def _told(view: TenantView) -> Entitlements:
    return entitled(plan_named(view.plan), view.slug, view.status, [Override(*each) for each in view.overrides])


def _read(unit: Unit) -> Entitlements:
    rows = unit.at_home(Home.ACCOUNT).session.execute(_OWN, {"tenant": unit.tenant_id}).all()
    if not rows:
        raise NotFound()
    overrides = [Override(row.kind, row.name, row.value) for row in rows if row.kind is not None]
    return entitled(plan_named(rows[0].plan), rows[0].slug, rows[0].status, overrides)


def tell_entitlements(unit: Unit, told: TenantView) -> None:
    """Have the unit go by what the directory told of its tenant and of its overrides in this transaction."""
    unit.at_home(Home.ACCOUNT).session.info["told"] = told


def forget_entitlements(unit: Unit) -> None:
    """Have the next question read anew, in the same unit: what a tenant may have has just been changed in it."""
    info = unit.at_home(Home.ACCOUNT).session.info
    info.pop("entitlements", None)
    info.pop("told", None)


def has_feature(unit: Unit, feature: Feature) -> bool:
    """Tell whether the unit's tenant has `feature`."""
    return feature in entitlements(unit).features


def require_feature(unit: Unit, feature: Feature) -> None:
    """Return if the unit's tenant has `feature`: the one gate, for page, API, command and worker.

    Raises FeatureMissing, which names the feature and the plans that include it.
    """
    if has_feature(unit, feature):
        return
    names = [plan_of(plan).name for plan in plans_with(feature)]
    raise FeatureMissing(
        f"{FEATURE_NAMES[feature]} is not part of this tenant's plan. It comes with {' and '.join(names[:2])}.",
        extra={
            "feature": str(feature),
            "plan": str(entitlements(unit).plan),
            "plans": [str(each) for each in plans_with(feature)],
        },
    )
