"""Owners are told of a trial's end 7, 3 and 1 days before it and at the end, each time once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from app.core.errors import AppError
from app.db.units import Home, Units
from app.models.tenants import Tenant
from app.services import audit, reminders
from app.services.reminders import level_of
from app.services.stewards import STEWARD, Steward
from app.tenancy.context import tenant_scope
from tests.peers.letters import Letters, text_of
from tests.peers.members import make_member
from tests.peers.programs import issue
from tests.peers.tenants import Made

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "level"),
    [
        (timedelta(days=8), None),
        (timedelta(days=7), 7),
        (timedelta(days=3, seconds=1), 7),
        (timedelta(days=3), 3),
        (timedelta(days=1), 1),
        (timedelta(seconds=1), 1),
        (timedelta(0), None),
    ],
)
def test_which_reminder_is_due(left: timedelta, level: int | None) -> None:
    """The smallest of 7, 3 and 1 days within which the trial ends; none earlier, and none once it is over."""
    assert level_of(NOW + left, NOW) == level


def ends_in(made: Made, left: timedelta) -> None:
    """Have the tenant's trial end so long from now."""
    with made.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, made.id).trial_ends_at = unit.now() + left
        unit.commit()


def told(letters: Letters, made: Made) -> list[str]:
    """Return the subjects of what the tenant's owner was sent about the trial."""
    letters.send()
    return [str(each["Subject"]) for each in letters.to(made.email) if "trial" in str(each["Subject"])]


def test_each_reminder_goes_out_once(tenant: Made, worker_units: Units, letters: Letters) -> None:
    """At 7, 3 and 1 days and at the end: however often the worker looks, one mail each that says what Free lacks."""
    make_member(tenant)
    for number in range(6):
        issue(tenant, "tenant:scans:read", name=f"Key {number}")
    steward = Steward(worker_units)
    expected: list[str] = []
    for days, when in ((8, None), (7, "in 7 days"), (5, None), (3, "in 3 days"), (1, "within a day")):
        ends_in(tenant, timedelta(days=days, seconds=-1))
        expected += [f"Acme: the trial ends {when}"] if when else []
        steward.remind_trials(), steward.remind_trials()
        assert told(letters, tenant) == expected
    message = letters.last(tenant.email)
    for words in (text_of(message), message.get_body(("html",)).get_content()):  # type: ignore[union-attr]
        assert "Seats: 2 used, 1 allowed" in words and "API keys: 6 used, 5 allowed" in words
        assert f"/t/{tenant.slug}/plan/comparison" in words
    ends_in(tenant, timedelta(seconds=-1))
    assert steward.remind_trials() == 0
    assert steward.end_trials() >= 1
    steward.end_trials(), steward.remind_trials()
    assert told(letters, tenant) == [*expected, "Acme: the trial is over"]
    words = text_of(letters.last(tenant.email))
    assert "Read-only now, API keys: Key 5." in words and "Nothing was deleted" in words
    with tenant.unit(Home.ACCOUNT) as unit:
        actions = [event.action for event in audit.list_events(unit).rows]
        assert actions.count("tenant.remind-trial") == 3 and actions.count("tenant.end-trial") == 1


def test_one_that_came_too_late_is_left_out(tenant: Made, worker_units: Units, letters: Letters) -> None:
    """A worker that was away for days sends what is true now, not all that it missed."""
    ends_in(tenant, timedelta(hours=30))
    Steward(worker_units).remind_trials()
    assert told(letters, tenant) == ["Acme: the trial ends in 2 days"]


def test_two_workers_remind_once(tenant: Made, worker_units: Units, letters: Letters) -> None:
    """Stewards that look at the same moment send one mail; one that is killed before its commit has sent none."""
    ends_in(tenant, timedelta(hours=60))
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, STEWARD) as unit:
        assert reminders.remind(unit)  # and the process dies here
    assert told(letters, tenant) == []
    gate = threading.Barrier(4)
    faults: list[AppError] = []

    def look() -> None:
        gate.wait()
        try:
            Steward(worker_units).remind_trials()
        except AppError as error:
            faults.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and told(letters, tenant) == ["Acme: the trial ends in 3 days"]
