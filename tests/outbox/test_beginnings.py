"""A busy tenant gives way while another's scan begins, for moments and to nobody else, and is paced beside it."""

import threading
from uuid import UUID, uuid4

import pytest

from app.outbox import beginnings as module
from app.outbox.beginnings import MANY, MOST_SECONDS, SPAN_SECONDS, THERE_SECONDS, TIMES, Beginnings


class Hours(threading.Condition):
    """A clock that stands still but for those who wait, which costs a test no time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.now += timeout
        return False

    def rule(self, beginnings: Beginnings) -> Beginnings:
        beginnings._clock = beginnings._moved = self
        return beginnings


def waited(hours: Hours, beginnings: Beginnings, tenant_id: UUID) -> float:
    """Return for how many seconds the tenant's work waits."""
    began = hours.now
    beginnings.give_way(tenant_id)
    return hours.now - began


def begin(beginnings: Beginnings, tenant_id: UUID, times: int) -> None:
    for _ in range(times):
        beginnings.expect(tenant_id)
        beginnings.begun(tenant_id)


def test_a_flood_waits_while_another_tenants_scan_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on as soon as the other scan has begun."""
    monkeypatch.setattr(module, "MOST_SECONDS", 600.0)
    beginnings, flood, small = Beginnings(lambda _tenant_id: 1, lambda: 0.0), uuid4(), uuid4()
    begin(beginnings, flood, 10 * MANY)
    beginnings.give_way(flood)
    beginnings.expect(small)
    beginnings.give_way(small)
    past = threading.Event()
    thread = threading.Thread(target=lambda: (beginnings.give_way(flood), past.set()))
    thread.start()
    assert not past.wait(0.1)
    beginnings.begun(small)
    assert past.wait(60)
    thread.join()


def test_nobody_waits_long_for_a_scan_that_does_not_begin() -> None:
    """A beginning that nobody tells the end of is waited for once, and no longer than it may take."""
    hours, flood, small = Hours(), uuid4(), uuid4()
    beginnings = hours.rule(Beginnings())
    begin(beginnings, flood, 10 * MANY)
    beginnings.expect(small)
    assert waited(hours, beginnings, flood) == MOST_SECONDS
    assert waited(hours, beginnings, flood) == 0


def test_tenants_that_are_about_equally_busy_do_not_wait_for_each_other() -> None:
    """Neither do a hundred tenants with a scan each, nor one that began much some time ago."""
    now = [0.0]
    beginnings, one, two = Beginnings(clock=lambda: now[0]), uuid4(), uuid4()
    begin(beginnings, one, TIMES * MANY)
    begin(beginnings, two, MANY)
    beginnings.expect(two)
    beginnings.give_way(one)
    many = [uuid4() for _ in range(100)]
    for each in many:
        beginnings.expect(each)
    for each in many:
        beginnings.give_way(each)
    begin(beginnings, one, 10 * MANY)
    now[0] += SPAN_SECONDS + 1
    beginnings.expect(two)
    beginnings.give_way(one)  # a clock that stands still: it would never return


def test_a_larger_plan_is_busy_later() -> None:
    """With priority 3 a tenant that begins four times as many does not give way; with priority 1 it does."""
    large, plain, small = uuid4(), uuid4(), uuid4()
    hours = Hours()
    beginnings = hours.rule(Beginnings(lambda tenant_id: 3 if tenant_id == large else 1))
    begin(beginnings, large, 4 * MANY)
    begin(beginnings, plain, 4 * MANY)
    begin(beginnings, small, MANY - 1)
    beginnings.expect(small)
    assert waited(hours, beginnings, large) == 0
    assert waited(hours, beginnings, plain) > 0


def test_beside_a_tenant_that_is_there_busy_ones_begin_one_at_a_time() -> None:
    """The next one may begin after a rest as long as the beginning took, whichever of them it is."""
    now = [0.0]
    beginnings, small, floods = Beginnings(clock=lambda: now[0]), uuid4(), [uuid4(), uuid4()]
    for each in floods:
        begin(beginnings, each, 10 * MANY)
    assert beginnings.paced() == ([], 0.0)
    begin(beginnings, small, 1)
    assert beginnings.paced() == (floods, 0.0)
    beginnings.expect(floods[0])
    now[0] += 0.05
    assert beginnings.paced() == (floods, pytest.approx(MOST_SECONDS - 0.05))
    beginnings.begun(floods[0])
    assert beginnings.paced() == (floods, pytest.approx(0.05))
    now[0] += 0.05
    assert beginnings.paced() == (floods, 0.0)


def test_a_beginning_whose_end_nobody_tells_closes_the_way_for_moments() -> None:
    """Nor does that of a tenant which is not busy close it at all."""
    now = [0.0]
    beginnings, small, flood = Beginnings(clock=lambda: now[0]), uuid4(), uuid4()
    begin(beginnings, flood, 10 * MANY)
    begin(beginnings, small, 1)
    beginnings.expect(flood)
    now[0] += MOST_SECONDS
    assert beginnings.paced() == ([flood], 0.0)
    beginnings.expect(small)
    assert beginnings.paced() == ([flood], 0.0)


def test_a_tenant_that_began_nothing_for_a_while_is_not_there() -> None:
    """A busy one is paced beside who began a scan within a minute, and has the platform for itself afterwards."""
    now = [0.0]
    beginnings, small, flood = Beginnings(clock=lambda: now[0]), uuid4(), uuid4()
    begin(beginnings, small, 1)
    for after, paced in ((THERE_SECONDS - 1, [flood]), (2, [])):
        now[0] += after
        begin(beginnings, flood, 10 * MANY)
        assert beginnings.paced()[0] == paced


def test_what_begins_no_scan_does_not_make_a_tenant_busy() -> None:
    """A dispatch that finds nothing to admit counts neither as a beginning nor as being there."""
    hours, one, two = Hours(), uuid4(), uuid4()
    beginnings = hours.rule(Beginnings())
    for _ in range(10 * MANY):
        beginnings.expect(one)
        beginnings.begun(one, 0)
    begin(beginnings, two, 10 * MANY)
    beginnings.expect(two)
    assert waited(hours, beginnings, one) == 0
    assert beginnings.paced() == ([], 0.0)


def test_who_is_busy_remains_so_while_it_is_ahead() -> None:
    """A pace that brings a flood below twice another's beginnings does not end by that; at their number it ends."""
    now = [0.0]
    beginnings, other, flood = Beginnings(clock=lambda: now[0]), uuid4(), uuid4()
    begin(beginnings, other, MANY)
    begin(beginnings, flood, TIMES * MANY)
    assert beginnings.paced()[0] == []
    begin(beginnings, flood, 1)
    assert beginnings.paced()[0] == [flood]
    begin(beginnings, other, MANY)
    assert beginnings.paced()[0] == [flood]
    begin(beginnings, other, 1)
    assert beginnings.paced()[0] == []
