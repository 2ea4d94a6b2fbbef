"""A busy tenant gives way while another's scan begins, for moments and to nobody else."""

import threading
import time
from uuid import UUID, uuid4

from app.outbox.beginnings import MANY, MOST_SECONDS, SPAN_SECONDS, TIMES, Beginnings


def waited(beginnings: Beginnings, tenant_id: UUID) -> bool:
    """Tell whether the tenant's work waits, which costs a test no time where it does not."""
    began = time.monotonic()
    beginnings.give_way(tenant_id)
    return time.monotonic() - began > MOST_SECONDS / 2


def begin(beginnings: Beginnings, tenant_id: UUID, times: int) -> None:
    for _ in range(times):
        beginnings.expect(tenant_id)
        beginnings.begun(tenant_id)


def test_a_flood_waits_while_another_tenants_scan_begins() -> None:
    """It goes on as soon as the other scan has begun."""
    beginnings, flood, small = Beginnings(), uuid4(), uuid4()
    begin(beginnings, flood, 10 * MANY)
    assert not waited(beginnings, flood)
    beginnings.expect(small)
    assert not waited(beginnings, small)
    past = threading.Event()
    thread = threading.Thread(target=lambda: (beginnings.give_way(flood), past.set()))
    thread.start()
    assert not past.wait(MOST_SECONDS / 4)
    beginnings.begun(small)
    assert past.wait(MOST_SECONDS / 2)
    thread.join()


def test_nobody_waits_long_for_a_scan_that_does_not_begin() -> None:
    """A beginning that nobody tells the end of is waited for once, and no longer than it may take."""
    beginnings, flood, small = Beginnings(), uuid4(), uuid4()
    begin(beginnings, flood, 10 * MANY)
    beginnings.expect(small)
    began = time.monotonic()
    beginnings.give_way(flood)
    assert MOST_SECONDS * 0.9 < time.monotonic() - began < MOST_SECONDS * 4
    assert not waited(beginnings, flood)


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
    beginnings = Beginnings(lambda tenant_id: 3 if tenant_id == large else 1)
    begin(beginnings, large, 5 * MANY)
    begin(beginnings, plain, 5 * MANY)
    begin(beginnings, small, MANY - 1)
    beginnings.expect(small)
    assert not waited(beginnings, large)
    assert waited(beginnings, plain)
