"""API calls summed by the minute: batched, written once, and brought back to the rows."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from app.core.ids import new_id
from app.db.units import Unit
from app.models.plans import UsageMinute
from app.models.usage import ApiCall
from app.services import usage_counts
from app.services.calls import Call, call_of, write_call, write_calls
from app.services.usage_counts import minute_of
from app.serving import call_counts
from app.serving.call_counts import CallCounts
from tests.api.conftest import _program
from tests.peers.programs import Program
from tests.peers.tenants import Made
from tests.serving.conftest import base_url, client

__all__ = ["_program", "base_url", "client"]


def sums(made: Made) -> tuple[int, int]:
    """Return what the minutes add up to, and how many rows there are."""
    with made.unit() as unit:
        summed = unit.session.scalar(select(func.sum(UsageMinute.calls)))
        return int(summed or 0), unit.session.scalar(select(func.count()).select_from(ApiCall)) or 0


def called(unit: Unit, at: datetime | None = None) -> Call:
    return call_of(unit.actor, at or unit.now(), method="GET", endpoint="/api/v1/scans", status=200, microseconds=900)


def write(unit: Unit, at: datetime | None = None) -> Call:
    """Write a call down with the unit's commit."""
    call = called(unit, at)
    write_call(unit, call)
    return call


def test_calls_are_summed_by_minute_key_and_endpoint(app, program: Callable[..., Program]) -> None:
    """After the batch the sums are what the rows are, refused calls included, each tenant's own."""
    caller, other = program(), program("tenant:guard:process")
    for _ in range(4):
        caller.get("/api/v1/scans")
    caller.get("/api/v1/findings")
    other.get("/api/v1/scans")
    app.extensions["sentinel"].call_counts.flush()
    assert sums(caller.tenant) == (5, 5) and sums(other.tenant) == (1, 1)
    with caller.tenant.unit() as unit:
        rows = unit.session.scalars(select(UsageMinute)).all()
        assert usage_counts.calls_this_month(unit) == 5
    assert {(row.key_id, row.endpoint) for row in rows} == {
        (caller.key_id, "/api/v1/scans"),
        (caller.key_id, "/api/v1/findings"),
    }
    assert all(row.minute.second == 0 for row in rows)


def test_a_batch_whose_answer_was_lost_is_written_once(tenant: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit went through, its answer did not: the second try of the same batch changes nothing."""
    counts = CallCounts(tenant.units, seconds=3600)
    with tenant.unit() as unit:
        made = [write(unit) for _ in range(3)]
        unit.commit()
        made.append(called(unit))
    for number, each in enumerate(made):
        counts.note(tenant.id, each, written=number < 3)
    commit = Unit.commit

    def lost(unit: Unit) -> None:
        commit(unit)
        raise OperationalError("COMMIT", None, Exception("the connection is gone"))

    monkeypatch.setattr(Unit, "commit", lost)
    counts.flush()
    monkeypatch.setattr(Unit, "commit", commit)
    assert sums(tenant) == (4, 4)
    counts.flush()
    counts.flush()
    assert sums(tenant) == (4, 4)


def test_a_batch_waits_for_the_database(tenant: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away nothing that was counted is lost."""
    counts = CallCounts(tenant.units, seconds=3600)
    with tenant.unit() as unit:
        made = write(unit)
        unit.commit()
        counts.note(tenant.id, made, written=True)
        counts.note(tenant.id, called(unit), written=False)
    add = usage_counts.add_minutes

    def away(*_given: object) -> bool:
        raise OperationalError("INSERT", None, Exception("away"))

    monkeypatch.setattr(usage_counts, "add_minutes", away)
    counts.flush()
    assert sums(tenant) == (0, 1)
    monkeypatch.setattr(usage_counts, "add_minutes", add)
    counts.flush()
    assert sums(tenant) == (2, 2)


def test_rows_and_sums_of_calls_that_changed_nothing_are_one_commit(tenant: Made) -> None:
    """What a killed process had not written is in neither; what it wrote is in both."""
    counts = CallCounts(tenant.units, seconds=3600)
    with tenant.unit() as unit:
        for back in (0, 0, 8):
            counts.note(tenant.id, called(unit, unit.now() - timedelta(minutes=back)), written=False)
    assert sums(tenant) == (0, 0)
    counts.flush()
    assert sums(tenant) == (3, 3)
    with tenant.unit() as unit:
        counts.note(tenant.id, called(unit), written=False)
    del counts
    assert sums(tenant) == (3, 3)


def test_many_rows_do_not_wait(tenant: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process keeps a bounded number of rows for a second: beyond it they are written at once."""
    monkeypatch.setattr(call_counts, "MANY", 3)
    flushed = threading.Event()
    counts = CallCounts(tenant.units, seconds=3600)
    monkeypatch.setattr(counts, "flush", flushed.set)
    with tenant.unit() as unit:
        for _ in range(3):
            assert not flushed.is_set()
            counts.note(tenant.id, called(unit), written=False)
    assert flushed.wait(60)


def test_the_next_process_heals_what_a_killed_one_lost(tenant: Made) -> None:
    """The first batch of a process counts the last minutes of its tenant anew from the rows."""
    killed = CallCounts(tenant.units, seconds=3600)
    with tenant.unit() as unit:
        made, old = write(unit), write(unit, unit.now() - timedelta(minutes=5))
        unit.commit()
    killed.note(tenant.id, old, written=True)
    del killed  # a kill -9 between the rows' commit and the batch
    counts = CallCounts(tenant.units, seconds=3600)
    counts.note(tenant.id, made, written=True)
    counts.flush()
    assert sums(tenant) == (2, 2)


def test_a_late_batch_is_counted_from_the_rows(tenant: Made) -> None:
    """A minute that is long over is not added to, but counted anew: others may have brought it back already."""
    with tenant.unit() as unit:
        call = called(unit, unit.now() - timedelta(minutes=8))
        write_calls(unit, [call])
        minute = minute_of(call)
        usage_counts.recount(unit, minute.minute, minute.minute + timedelta(minutes=1))
        assert usage_counts.add_minutes(unit, new_id(), {minute: 1})
        unit.commit()
    assert sums(tenant) == (1, 1)
