"""Quotas: counted beside their rows, by the month, and at once."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select, text

from app.core.errors import QuotaExceeded
from app.core.ids import new_id
from app.core.permissions import Role
from app.db.units import Home, Units
from app.models.accounts import Membership
from app.models.plans import QuotaReservation
from app.models.trails import Effect
from app.scanners.probes import Artefact
from app.services import admissions, api_keys, assets, memberships, quotas, scans
from app.services.plans import Quota
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers.programs import issue
from tests.peers.tenants import Made
from tests.services.test_plans import override

WORKER = system_actor("worker")


def used(made: Made, quota: Quota = Quota.SCANS) -> int:
    with made.unit() as unit:
        return quotas.used_of(unit, quota)[0]


def start(made: Made) -> "scans.Scan":
    with made.unit() as unit:
        asset = assets.add_document(unit, name="Letter", text="My card is 4532-1234-5678-9010")
        scan = scans.start_scan(unit, asset.id, tool="text")
        unit.commit()
    return scan


def test_the_last_scan_of_the_month_is_the_last(tenant: Made, worker_units: Units) -> None:
    """A refusal names quota, used, limit, reset and where to get more; nothing is kept of what was refused."""
    override(tenant, worker_units, "quota", "scans", 2)
    start(tenant), start(tenant)
    with pytest.raises(QuotaExceeded) as refused:
        start(tenant)
    error = refused.value
    assert error.status == 429 and 0 < int(error.headers["Retry-After"]) <= 31 * 86_400
    assert error.extra["quota"] == "scans" and error.extra["used"] == 2 and error.extra["limit"] == 2
    assert str(error.extra["more"]).endswith(f"/t/{tenant.slug}/plan")
    today = datetime.now(UTC).date().replace(day=1)
    assert error.extra["reset"] == quotas.next_period(today).isoformat()
    assert used(tenant) == 2
    override(tenant, worker_units, "quota", "scans", 3)
    start(tenant)
    assert used(tenant) == 3


def test_a_done_scan_counts_a_failed_or_cancelled_one_does_not(tenant: Made, worker_units: Units) -> None:
    """Settled with the scan's end, released with its failure or cancel; a second delivery changes nothing."""
    done, failed, cancelled = start(tenant), start(tenant), start(tenant)
    assert used(tenant) == 3
    for _ in range(2):
        with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
            admissions.admit_scans(unit)
            scans.claim_scan(unit, done.id)
            scans.complete_scan(unit, done.id, Artefact("text", []))
            scans.fail_scan(unit, failed.id, "no answer")
            unit.commit()
        with tenant.unit() as unit:
            scans.cancel_scan(unit, cancelled.id)
            unit.commit()
    assert used(tenant) == 1
    with tenant.unit() as unit:
        states = {row.scan_id: row.state for row in unit.session.scalars(select(QuotaReservation))}
    assert states == {done.id: "settled", failed.id: "released", cancelled.id: "released"}


def test_two_quotas_are_used_together_or_not_at_all(tenant: Made, worker_units: Units) -> None:
    """Where either has not enough left, the commit names it, and the other is as it was."""
    override(tenant, worker_units, "quota", "texts", 1)
    with tenant.unit() as unit:
        quotas.consume(unit, Quota.SCANS, 5)
        quotas.consume(unit, Quota.TEXTS)
        unit.commit()
    for order in ((Quota.SCANS, Quota.TEXTS), (Quota.TEXTS, Quota.SCANS)):
        with tenant.unit() as unit:
            for quota in order:
                quotas.consume(unit, quota)
            with pytest.raises(QuotaExceeded, match="Texts checked a month: 1 of 1"):
                unit.commit()
    assert (used(tenant), used(tenant, Quota.TEXTS)) == (5, 1)


def test_more_than_the_whole_quota_is_refused_in_an_empty_month(tenant: Made, worker_units: Units) -> None:
    """The first use of a month is checked as every other."""
    override(tenant, worker_units, "quota", "texts", 3)
    with tenant.unit() as unit:
        quotas.consume(unit, Quota.TEXTS, 4)
        with pytest.raises(QuotaExceeded, match="Texts checked a month: 0 of 3"):
            unit.commit()
    assert used(tenant, Quota.TEXTS) == 0


def test_the_month_turns_by_the_databases_clock(
    tenant: Made, worker_units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new month begins at nothing; what was taken before is given back to the month it was taken from."""
    override(tenant, worker_units, "quota", "scans", 1)
    monkeypatch.setattr(quotas, "_moment", lambda: datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC))
    old = start(tenant)
    monkeypatch.setattr(quotas, "_moment", lambda: datetime(2026, 2, 1, tzinfo=UTC))
    start(tenant)
    with tenant.unit() as unit:
        scans.cancel_scan(unit, old.id)
        unit.commit()
        assert quotas.next_period(date(2026, 12, 1)) == datetime(2027, 1, 1, tzinfo=UTC)
    with tenant.unit() as unit:
        rows = unit.session.execute(text("SELECT period, used FROM quota_counters ORDER BY period")).all()
    assert rows == [(date(2026, 1, 1), 0), (date(2026, 2, 1), 1)]


def test_reservations_follow_scans_that_were_ended_by_hand(tenant: Made, worker_units: Units) -> None:
    """What is reserved for scans that are over is settled or released, as the scans say."""
    first, second = start(tenant), start(tenant)
    with tenant.unit() as unit:
        unit.session.execute(text("UPDATE scans SET status = 'done' WHERE id = :id"), {"id": first.id})
        unit.session.execute(text("UPDATE scans SET status = 'failed' WHERE id = :id"), {"id": second.id})
        unit.commit()
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        assert quotas.reconcile(unit) == 2
        assert quotas.reconcile(unit) == 0
        unit.commit()
    assert used(tenant) == 1


def test_a_level_that_is_reached_asks_for_one_warning(tenant: Made, worker_units: Units) -> None:
    """At 80 and at 100 per cent the owners are to be told; quotas of a handful warn nobody."""
    override(tenant, worker_units, "quota", "texts", 10)
    override(tenant, worker_units, "quota", "scans", 4)
    with tenant.unit() as unit:
        for _ in range(10):
            quotas.consume(unit, Quota.TEXTS)
        quotas.consume(unit, Quota.SCANS, 4)
        unit.commit()
    with tenant.unit() as unit:
        found = unit.session.scalars(select(Effect.payload).where(Effect.kind == "quota.warning")).all()
    assert sorted((each["quota"], each["level"], each["used"], each["limit"]) for each in found) == [
        ("texts", 80, 8, 10),
        ("texts", 100, 10, 10),
    ]


def test_two_who_want_the_last_seat_get_one(tenant: Made, worker_units: Units) -> None:
    """Seats are counted beside their rows: whoever asks second waits, counts again and is refused."""
    override(tenant, worker_units, "quota", "seats", 2)
    gate, outcomes = threading.Barrier(4), []

    def join() -> None:
        with tenant.unit(Home.ACCOUNT) as unit:
            gate.wait()
            try:
                quotas.require_room(unit, Quota.SEATS)
                person = Membership(
                    user_id=new_id(), email="x@example.com", name="X", role="viewer", created_at=unit.now()
                )
                unit.session.add(person)
                unit.commit()
                outcomes.append("in")
            except QuotaExceeded as error:
                outcomes.append(str(error.status))

    threads = [threading.Thread(target=join) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["409", "409", "409", "in"]
    with tenant.unit(Home.ACCOUNT) as unit:
        assert unit.session.scalar(select(func.count()).select_from(Membership)) == 2


def test_another_tenants_use_is_not_ours(tenants: Callable[[], Made]) -> None:
    """Each tenant has its own counters and seats."""
    one, two = tenants(), tenants()
    start(one)
    assert (used(one), used(two)) == (1, 0)
    with two.unit(Home.ACCOUNT) as unit:
        assert quotas.count_rows_of(unit, Quota.SEATS) == 1


def test_members_and_keys_need_room(tenant: Made, worker_units: Units) -> None:
    """A member beyond the seats and a key beyond the plan's are refused; a revoked key makes room."""
    override(tenant, worker_units, "quota", "seats", 1)
    override(tenant, worker_units, "quota", "api_keys", 1)
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(QuotaExceeded, match="Seats: 1 of 1"):
        memberships.add_member(unit, new_id(), "new@example.com", "New", Role.VIEWER, source="scim")
    key_id, _secret = issue(tenant)
    with pytest.raises(QuotaExceeded, match="API keys: 1 of 1"):
        issue(tenant)
    with tenant.unit(Home.ACCOUNT) as unit:
        api_keys.revoke_key(unit, key_id)
        unit.commit()
    issue(tenant)
