"""What needs attention in a tenant: concrete matters, the weightiest first, and only those that one may act on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.accounts import ApiKey
from app.models.assets import Asset, OwnershipProof
from app.models.connections import Connection, EmailDomain
from app.models.findings import Finding
from app.models.scans import Scan
from app.models.tenants import Tenant
from app.services import email_domains, key_hygiene, policies, trials
from app.services.access import may, require
from app.services.assets import never_scanned
from app.services.key_hygiene import Trait
from app.services.pages import count_each
from app.services.plans import Quota
from app.services.quota_summaries import Line
from app.services.quotas import METERS, Meter

SOON = timedelta(days=14)
TRIAL_SOON = timedelta(days=7)
RECENT_DAYS = 7
EXAMPLES = 3


class Kind(StrEnum):
    """What there is to do, the weightiest first."""

    CRITICAL = "critical findings"
    CONNECTION = "sign-in connection"
    QUOTA = "quota"
    FAILED = "failed scans"
    FACTORS = "second factors"
    PROOFS = "proofs of control"
    TRIAL = "trial"
    KEYS_ENDING = "keys that end"
    KEYS_AMISS = "keys amiss"
    DOMAINS = "e-mail domains"
    UNSCANNED = "assets never scanned"


@dataclass(frozen=True, slots=True)
class Example:
    """One of the rows that a matter counts."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Matter:
    """Something to do: `number` rows, at most 10,001, some of them as examples; of a quota it is the per cent used.

    `since` is the first UTC day that was looked at, `until` when it is too late; `quota` is what is used up.
    """

    kind: Kind
    number: int
    examples: tuple[Example, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    quota: Line | None = None
    detail: str | None = None


# Who can do something about a quota that is used up, beside those who may ask for another plan.
RELIEF: Mapping[Quota, Permission] = {
    Quota.SEATS: Permission.PEOPLE_WRITE,
    Quota.API_KEYS: Permission.KEYS_WRITE,
    Quota.WORKSPACES: Permission.WORKSPACES_WRITE,
}
ACTED_ON_WITH = frozenset(
    {
        Permission.ASSETS_WRITE,
        Permission.FINDINGS_WRITE,
        Permission.KEYS_WRITE,
        Permission.PEOPLE_WRITE,
        Permission.PLAN_WRITE,
        Permission.SCANS_WRITE,
        Permission.SIGN_IN_WRITE,
        Permission.WORKSPACES_WRITE,
    }
)


def acts(unit: Unit) -> bool:
    """Tell whether the actor may do something about anything that could need attention."""
    return bool(ACTED_ON_WITH & unit.actor.permissions)


def needs_attention(unit: Unit, used: Sequence[Line] = ()) -> list[Matter]:
    """Return what the actor could see to, the weightiest first; `used` is the plan's quotas, if they are known.

    Each matter is counted by a bounded query; those of one home in one round trip. Needs tenant:overview:read.
    """
    require(unit, Permission.OVERVIEW_READ)
    account = unit.at_home(Home.ACCOUNT)
    found = [
        *_of_content(unit.at_home(Home.CONTENT)),
        *_of_quotas(unit, used),
        *_of_trial(account),
        *_of_keys(account),
        *_of_sign_in(account),
    ]
    order = list(Kind)
    return sorted(found, key=lambda matter: order.index(matter.kind))


def _of_content(unit: Unit) -> list[Matter]:
    since = unit.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
        days=RECENT_DAYS - 1
    )
    wanted: dict[str, Select[Any]] = {}
    if may(unit, Permission.FINDINGS_WRITE):
        wanted[Kind.CRITICAL] = select(Finding.id).where(
            Finding.status == "open", Finding.severity == "critical", Finding.first_seen_at >= since
        )
    if may(unit, Permission.SCANS_WRITE):
        wanted[Kind.FAILED] = _failed(since)
        wanted[Kind.UNSCANNED] = never_scanned()
    if may(unit, Permission.ASSETS_WRITE):
        wanted[Kind.PROOFS] = _proofs_ending(unit.now() + SOON)
    numbers = count_each(unit, wanted)
    return [
        Matter(Kind(kind), number, _examples(unit, Kind(kind), wanted[kind]), since=since)
        for kind, number in numbers.items()
        if number
    ]


def _failed(since: datetime) -> Select[Scan]:
    """Return scans that failed and were not repeated: no later one of the asset by the same tool."""
    later = aliased(Scan)
    repeated = select(later.id).where(
        later.tenant_id == Scan.tenant_id,
        later.asset_id == Scan.asset_id,
        later.tool == Scan.tool,
        later.created_at > Scan.created_at,
    )
    return select(Scan).where(Scan.status == "failed", Scan.created_at >= since, ~repeated.exists())


def _proofs_ending(soon: datetime) -> Select[Asset]:
    """Return assets whose proof of control has expired or soon will."""
    ending = select(OwnershipProof.id).where(
        OwnershipProof.tenant_id == Asset.tenant_id,
        OwnershipProof.asset_id == Asset.id,
        OwnershipProof.proven_at.is_not(None),
        OwnershipProof.expires_at < soon,
    )
    return select(Asset).where(Asset.archived_at.is_(None), ending.exists())


def _examples(unit: Unit, kind: Kind, wanted: Select[Any]) -> tuple[Example, ...]:
    if kind is Kind.CRITICAL:
        return ()
    if kind is Kind.FAILED:
        named = wanted.with_only_columns(Scan.id, Asset.name).join(
            Asset, (Asset.tenant_id == Scan.tenant_id) & (Asset.id == Scan.asset_id)
        )
        rows = unit.session.execute(named.order_by(Scan.created_at.desc()).limit(EXAMPLES))
    else:
        rows = unit.session.execute(
            wanted.with_only_columns(Asset.id, Asset.name).order_by(Asset.created_at.desc()).limit(EXAMPLES)
        )
    return tuple(Example(row.id, row.name) for row in rows)


def _of_quotas(unit: Unit, used: Sequence[Line]) -> list[Matter]:
    """Return quotas at risk, without those that are full from the first day on, or whenever much runs at once."""
    return [
        Matter(Kind.QUOTA, line.percent or 0, quota=line)
        for line in used
        if line.at_risk
        and line.matters
        and METERS[line.quota] is not Meter.AT_ONCE
        and (may(unit, Permission.PLAN_WRITE) or may(unit, RELIEF.get(line.quota, Permission.PLAN_WRITE)))
    ]


def _of_trial(unit: Unit) -> list[Matter]:
    if not may(unit, Permission.PLAN_WRITE):
        return []
    tenant = unit.session.get(Tenant, unit.tenant_id)
    if tenant is None or tenant.status != "trial" or tenant.trial_ends_at is None:
        return []
    left = tenant.trial_ends_at - unit.now()
    return [Matter(Kind.TRIAL, max(0, left.days), until=tenant.trial_ends_at)] if left <= TRIAL_SOON else []


def _of_keys(unit: Unit) -> list[Matter]:
    if not may(unit, Permission.KEYS_WRITE):
        return []
    now, found = unit.now(), []
    ending = select(ApiKey).where(ApiKey.revoked_at.is_(None), ApiKey.expires_at > now, ApiKey.expires_at <= now + SOON)
    keys = unit.session.scalars(ending.order_by(ApiKey.expires_at).limit(key_hygiene.LOOKED_AT)).all()
    if keys:
        first = tuple(Example(key.id, key.name) for key in keys[:EXAMPLES])
        found.append(Matter(Kind.KEYS_ENDING, len(keys), first, until=keys[0].expires_at))
    remarks = key_hygiene.look_over_keys(unit).remarks
    amiss = {
        remark.key.id: remark.key.name
        for trait in (Trait.OVERLAP, Trait.NEVER_USED, Trait.IDLE, Trait.OVER_CEILING)
        for remark in remarks[trait]
    }
    if amiss:
        first = tuple(Example(key_id, name) for key_id, name in list(amiss.items())[:EXAMPLES])
        found.append(Matter(Kind.KEYS_AMISS, len(amiss), first))
    return found


def _of_sign_in(unit: Unit) -> list[Matter]:
    if not may(unit, Permission.SIGN_IN_WRITE):
        return []
    found = []
    unproven = unit.session.scalars(
        select(EmailDomain).where(EmailDomain.verified_at.is_(None)).order_by(EmailDomain.created_at)
    ).all()
    if unproven and email_domains.are_offered(unit):
        first = tuple(Example(row.id, row.domain) for row in unproven[:EXAMPLES])
        found.append(Matter(Kind.DOMAINS, len(unproven), first))
    connection = unit.session.scalars(select(Connection)).one_or_none()
    trial = trials.last_trial(unit, connection) if connection is not None else None
    if trial is not None and trial.problem is not None:
        found.append(Matter(Kind.CONNECTION, 1, detail=trial.problem))
    if policies.policy_of(unit).mfa_required:
        _having, lacking = policies.factor_standing(unit)
        if lacking > 0:
            found.append(Matter(Kind.FACTORS, lacking))
    return found
