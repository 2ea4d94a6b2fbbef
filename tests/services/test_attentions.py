"""What needs attention: each matter against the rows behind it, and only for those who may act on it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.core.clock import SetClock
from app.core.permissions import Role, permissions_of
from app.db.units import Home, Units
from app.models.assets import OwnershipProof
from app.models.connections import EmailDomain
from app.models.tenants import TenantPolicy
from app.scanners.probes import Fault
from app.services import assets, attentions, findings, quota_summaries, quotas, scans
from app.services.attentions import Kind, Matter
from app.services.plans import Quota
from tests.peers.federations import include
from tests.peers.programs import issue
from tests.peers.tenants import Made, make_tenant

DAY = timedelta(days=1)


def matters(made: Made, role: Role = Role.OWNER) -> dict[Kind, Matter]:
    """Return what somebody of this role is told, by kind; the order is that of the kinds."""
    actor = replace(made.actor, permissions=permissions_of(role))
    with made.unit(Home.ACCOUNT, actor) as unit:
        found = attentions.needs_attention(unit, quota_summaries.summarise(unit))
        assert [each.kind for each in found] == sorted((m.kind for m in found), key=list(Kind).index)
    return {each.kind: each for each in found}


@pytest.fixture
def clock(units: Units) -> Iterator[SetClock]:
    """The present, which a test moves."""
    units.clock = SetClock(datetime.now(UTC))
    return units.clock


@pytest.fixture
def made(units: Units, clock: SetClock) -> Made:
    """A tenant of this test's own."""
    return make_tenant(units)


def document(made: Made, name: str) -> UUID:
    with made.unit() as unit:
        added = assets.add_document(unit, name=name, text="text").id
        unit.commit()
    return added


def scan(made: Made, asset_id: UUID, *faults: Fault, fails: bool = False) -> UUID:
    """Start a scan of the asset, and end it."""
    with made.unit() as unit:
        started = scans.start_scan(unit, asset_id, tool="text")
        unit.session.flush()
        findings.record_faults(unit, started, list(faults))
        if fails:
            scans.fail_scan(unit, started.id, "It did not answer.")
        unit.commit()
    return started.id


def test_a_new_tenant_has_nothing_to_see_to(made: Made) -> None:
    """No row, no matter; two weeks before its end the trial is none either."""
    assert matters(made) == {}


def test_findings_scans_and_assets_are_counted_as_their_rows(made: Made, clock: SetClock) -> None:
    """Critical and new, failed and not repeated, never scanned: what is old, triaged or repeated is left out."""
    fault = Fault("rule", "Bad", "critical", "seen", "Mend it.", "here")
    letter, memo, draft = document(made, "Letter"), document(made, "Memo"), document(made, "Draft")
    clock.moment -= 9 * DAY
    scan(made, letter, fault)
    scan(made, letter, fails=True)  # too long ago
    clock.moment += 9 * DAY
    first = scan(made, memo, fault, replace(fault, location="there"), replace(fault, rule="less", severity="high"))
    with made.unit() as unit:
        row = findings.findings_of_scan(unit, first)[0]
        findings.triage(unit, row.id, status="accepted")
        unit.commit()
    scan(made, letter, fails=True)
    clock.advance(timedelta(seconds=1))
    scan(made, letter)  # repeated
    failed = scan(made, memo, fails=True)
    found = matters(made)
    assert set(found) == {Kind.CRITICAL, Kind.FAILED, Kind.UNSCANNED}
    assert found[Kind.CRITICAL].number == 1
    with made.unit() as unit:
        since = found[Kind.CRITICAL].since
        assert since is not None
        listed = findings.list_findings(
            unit, status="open", severity="critical", since=since.date().isoformat(), counted=True
        )
        assert listed.count == 1
        assert [row.id for row in assets.list_assets(unit, unscanned=True).rows] == [draft]
    assert [each.id for each in found[Kind.FAILED].examples] == [failed]
    assert (found[Kind.UNSCANNED].number, found[Kind.UNSCANNED].examples[0].name) == (1, "Draft")


def test_each_role_is_told_of_what_it_may_act_on(made: Made, clock: SetClock) -> None:
    """An operator sees scans and assets, an admin keys and sign-in as well, an owner the plan too; others nothing."""
    with made.unit() as unit:
        asset = assets.add_web_asset(unit, name="Shop", address="https://shop.example.com")
        proof = unit.session.query(OwnershipProof).one()
        proof.proven_at, proof.expires_at = clock.now() - 80 * DAY, clock.now() + 10 * DAY
        unit.commit()
    issue(made, "tenant:scans:read", lifetime=90 * DAY)
    include(made)
    with made.unit(Home.ACCOUNT) as unit:
        unit.session.add(EmailDomain(domain="a.example", token="t", created_at=clock.now()))
        unit.session.add(TenantPolicy(mfa_required=True))
        unit.commit()
    with made.unit() as unit:
        limit = next(line for line in used(made) if line.quota is Quota.TEXTS).limit
        assert limit is not None
        quotas.consume(unit, Quota.TEXTS, limit * 95 // 100)
        unit.commit()
    clock.advance(8 * DAY)  # the trial's last week
    issue(made, "tenant:scans:read", lifetime=5 * DAY)
    told = {role: set(matters(made, role)) for role in Role}
    operator = {Kind.PROOFS, Kind.UNSCANNED}
    admin = operator | {Kind.KEYS_ENDING, Kind.KEYS_AMISS, Kind.DOMAINS, Kind.FACTORS}
    assert told == {
        Role.OWNER: admin | {Kind.QUOTA, Kind.TRIAL},
        Role.ADMIN: admin,
        Role.OPERATOR: operator,
        Role.VIEWER: set(),
        Role.AUDITOR: set(),
    }
    found = matters(made)
    assert found[Kind.PROOFS].examples[0].id == asset.id
    assert (found[Kind.KEYS_ENDING].number, found[Kind.KEYS_AMISS].number, found[Kind.FACTORS].number) == (1, 1, 1)
    assert found[Kind.QUOTA].number == 95 and found[Kind.TRIAL].number in (5, 6)


def used(made: Made) -> list[quota_summaries.Line]:
    with made.unit(Home.ACCOUNT) as unit:
        return quota_summaries.summarise(unit)
