"""A busy tenant gives way while another's scan begins, for moments and to nobody else."""

import threading
from uuid import UUID, uuid4

import pytest

from app.outbox import beginnings as module
from app.outbox.beginnings import MANY, MOST_SECONDS, SPAN_SECONDS, TIMES, Beginnings


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
    """With priority 3 a tenant that begins five times as many does not give way; with priority 1 it does."""
    large, plain, small = uuid4(), uuid4(), uuid4()
    hours = Hours()
    beginnings = hours.rule(Beginnings(lambda tenant_id: 3 if tenant_id == large else 1))
    begin(beginnings, large, 5 * MANY)
    begin(beginnings, plain, 5 * MANY)
    begin(beginnings, small, MANY - 1)
    beginnings.expect(small)
    assert waited(hours, beginnings, large) == 0
    assert waited(hours, beginnings, plain) > 0
