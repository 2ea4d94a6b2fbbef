"""Usage in figures: days and minutes are what the rows say, by whatever they are divided."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.core.ids import new_id
from app.db import engines, usage_books
from app.db.units import Home, Unit, Units
from app.db.usage_books import DueBook, DueRemoval
from app.models.plans import UsageDay, UsageMinute
from app.models.tenants import Tenant
from app.models.usage import ApiCall
from app.services import quotas, usage, usage_counts, usage_series
from app.services.bookkeepers import Bookkeeper
from app.services.plans import Quota
from app.services.scans import cancel_scan
from app.services.usage import CallFilter
from app.services.usage_counts import NOBODY, Minute
from app.services.usage_series import SPLITS, Measure, Period, Split
from tests.peers.programs import issue
from tests.peers.quota_books import quotas_agree
from tests.peers.tenants import Made
from tests.plugins.servers import Database
from tests.services.test_quotas import start


def today() -> date:
    """Return the day that it is."""
    return datetime.now(UTC).date()


def call(unit: Unit, at: datetime, key: tuple[UUID, str] | None, workspace: UUID | None, verdict: str | None) -> None:
    """Write the row of a call that was made then."""
    key_id, name = key or (None, "kim@example.com")
    plain = {"method": "POST", "endpoint": f"/api/v1/{'process' if verdict else 'scans'}", "status": 200}
    row = {"tenant_id": unit.tenant_id, "id": new_id(), "at": at, "request_id": "", "microseconds": 1, **plain}
    whose = {"key_id": key_id, "key_name": name, "workspace_id": workspace, "verdict": verdict}
    unit.session.execute(ApiCall.__table__.insert().values(**row, **whose))


@pytest.fixture
def called(tenant: Made) -> Made:
    """A tenant with calls of today, yesterday and 40 days ago, by two keys and a person; minutes of all of them."""
    one, two = (issue(tenant)[0] for _ in range(2))
    elsewhere = new_id()
    with tenant.unit() as unit:
        for back, number in ((0, 3), (1, 2), (40, 4)):
            at = datetime.combine(today() - timedelta(days=back), datetime.min.time(), UTC)
            for step in range(number):
                moment = at + timedelta(minutes=step)
                call(unit, moment, (one, "one"), tenant.id, "allowed")
                call(unit, moment, (two, "two"), elsewhere, None)
            call(unit, at, None, None, "blocked")
        usage_counts.recount(unit, datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1))
        quotas.consume(unit, Quota.TEXTS, 12)
        unit.commit()
    return tenant


def figures(made: Made) -> dict[tuple[str, str, str], dict[str, int]]:
    with made.unit() as unit:
        return {
            (measure, split, period): {
                part.key: part.value for part in usage_series.report(unit, measure, split, period).parts
            }
            for measure in (Measure.CALLS, Measure.TEXTS)
            for split in SPLITS[measure]
            for period in Period
        }


def rows_behind(made: Made, measure: Measure, split: Split, period: Period) -> dict[str, int]:
    """Count the rows that the list shows for the same period, by the same."""
    with made.unit() as unit:
        rows = usage.list_calls(unit, CallFilter(period=period, texts=measure is Measure.TEXTS), size=1000).rows
    by = {
        Split.DAY: lambda row: row.at.astimezone(UTC).date(),
        Split.KEY: lambda row: row.key_id or NOBODY,
        Split.WORKSPACE: lambda row: row.workspace_id or NOBODY,
        Split.ENDPOINT: lambda row: row.endpoint,
        Split.PERSON: lambda row: "keys" if row.key_id else row.key_name,
    }[split]
    return dict(Counter(str(by(row)) for row in rows))


def settled() -> date:
    """Return the day before which days are over."""
    return (datetime.now(UTC) - usage_counts.SETTLES).date()


def due(worker_units: Units, made: Made) -> list[DueBook]:
    session = worker_units.start(worker_units.engines.control, engines.NOBODY)
    try:
        return [book for book in usage_books.books_due(session, 100_000) if book.tenant_id == made.id]
    finally:
        session.close()


def count(made: Made, table: type) -> int:
    with made.unit() as unit:
        return unit.session.scalar(select(func.count()).select_from(table)) or 0


def test_figures_are_the_rows_before_and_after_days_are_summed(
    called: Made, worker_units: Units, postgres_server: Database
) -> None:
    """By day, key, workspace, endpoint and person: minutes alone, then days and minutes, are what the rows say."""
    before = figures(called)
    for (measure, split, period), parts in before.items():
        assert parts == rows_behind(called, Measure(measure), Split(split), Period(period)), (measure, split, period)
    assert count(called, UsageDay) == 0
    with called.unit(Home.ACCOUNT) as unit:
        usage_books.open_book(unit.session)
        unit.commit()
    assert due(worker_units, called) == [DueBook(called.id, None, settled())]
    assert Bookkeeper(worker_units).keep(DueBook(called.id, None, settled()))
    assert due(worker_units, called) == []
    assert count(called, UsageDay) > 0 and figures(called) == before
    with called.unit() as unit:
        over = datetime.combine(settled(), datetime.min.time(), UTC)
        old = unit.session.scalars(select(UsageMinute.minute).where(UsageMinute.minute < over))
        assert old.all() == []
        for day in (today() - timedelta(days=40), today()):
            usage_counts.sum_days(unit, None, day)
        unit.commit()
    assert figures(called) == before
    quotas_agree(postgres_server.superuser, called.id, calls=True)


def test_days_are_the_rows_before_and_after_they_are_summed(called: Made, worker_units: Units) -> None:
    """Calls by day, of the tenant, a key or a workspace, are what the rows say; sums or rows tell each day once."""
    with called.unit() as unit:
        rows = unit.session.scalars(select(ApiCall)).all()
    one = next(row.key_id for row in rows if row.key_name == "one")
    summed = (None, settled() - timedelta(days=5), settled())
    for until in summed:
        with called.unit() as unit:
            if until is not None:
                usage_counts.sum_days(unit, None, until)
            for told, mine in (
                (usage.daily(unit, days=90)["calls"], rows),
                (usage.calls_of_key(unit, one, days=90), [row for row in rows if row.key_id == one]),
                (
                    usage.of_workspace(unit, called.id, days=90)["calls"],
                    [row for row in rows if row.workspace_id == called.id],
                ),
            ):
                said = {day: number for day, number in told.days if number}
                assert said == Counter(row.at.astimezone(UTC).date() for row in mine), until
            unit.commit()
    assert count(called, UsageDay) > 0
    Bookkeeper(worker_units).clear(DueRemoval(called.id, settled()))
    with called.unit() as unit:
        assert usage.daily(unit, days=90)["calls"].total == len(rows)


def test_a_batch_of_a_day_that_is_over_sums_the_day_anew(called: Made) -> None:
    """A process that comes back after days adds nothing twice: the day is counted from its rows."""
    day = today() - timedelta(days=40)
    with called.unit() as unit:
        usage_counts.sum_days(unit, None, today())
        unit.commit()
    before = figures(called)
    late = Minute(datetime.combine(day, datetime.min.time(), UTC), NOBODY, "/api/v1/scans")
    with called.unit() as unit:
        assert usage_counts.add_minutes(unit, new_id(), {late: 5})
        unit.commit()
    assert figures(called) == before


def test_days_are_kept_as_long_as_the_plan_says(called: Made, worker_units: Units) -> None:
    """Beyond the plan's retention sums are deleted, and neither shown nor counted, and the span says so."""
    with called.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, called.id).plan = "free"
        unit.commit()
    assert Bookkeeper(worker_units).keep(DueBook(called.id, None, settled()))
    with called.unit() as unit:
        made = usage_series.report(unit, Measure.CALLS, Split.DAY, Period.DAYS_90)
        assert made.span.cut and made.span.since == today() - timedelta(days=30) and made.total == 12
        assert unit.session.scalars(select(UsageDay.day).distinct()).all() in (
            [today() - timedelta(days=1)],
            [],
        )
        behind = usage.list_calls(unit, CallFilter(period=Period.DAYS_90), size=1000).rows
        assert len(behind) == 12


def test_scans_that_count_are_divided(tenant: Made) -> None:
    """By day, workspace and person the scans of the month come to what the quota says."""
    scans = [start(tenant) for _ in range(3)]
    with tenant.unit() as unit:
        cancel_scan(unit, scans[0].id)
        unit.commit()
    with tenant.unit() as unit:
        for split, key in (
            (Split.DAY, today().isoformat()),
            (Split.WORKSPACE, str(tenant.id)),
            (Split.PERSON, tenant.email),
        ):
            made = usage_series.report(unit, Measure.SCANS, split, Period.THIS_MONTH)
            assert {part.key: part.value for part in made.parts} == {key: 2} and made.total == 2
        last = usage_series.report(unit, Measure.SCANS, Split.DAY, Period.LAST_MONTH)
        assert last.total == 0 and last.span.last == today().replace(day=1) - timedelta(days=1)
        assert usage_series.of_workspaces(unit) == [(tenant.id, "Default", {Measure.SCANS: 2})]


def test_a_month_is_utc_by_the_database(tenant: Made) -> None:
    """This month begins on its first day in UTC and is shown up to today; the one before is whole."""
    with tenant.unit() as unit:
        this = usage_series.span_of(unit, Measure.SCANS, Period.THIS_MONTH)
        last = usage_series.span_of(unit, Measure.SCANS, Period.LAST_MONTH)
    assert (this.since, this.until) == (today().replace(day=1), today() + timedelta(days=1))
    assert last.until == this.since and last.since == date.fromordinal(this.since.toordinal() - 1).replace(day=1)
