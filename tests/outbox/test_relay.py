"""The relay on a real Postgres: at least once, by whichever relay comes first, and nobody waits for another."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select

from app.core.clock import SetClock
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Units
from app.models.accounts import AccountEffect
from app.models.trails import Effect
from app.outbox import relay as relays
from app.outbox.relay import Delivery, Handler, Postponed, Relay
from app.outbox.requests import request_effect
from app.outbox.wakers import CHANNEL, Waker
from app.tenancy.context import current_tenant
from tests.peers.checkouts import ROOT
from tests.peers.tenants import Made
from tests.plugins.servers import Database

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def nothing_due(postgres_server: Database) -> None:
    """No effect of an earlier test is due."""
    with psycopg.connect(postgres_server.superuser) as connection:
        connection.execute("TRUNCATE auth.effects_due")


def request(made: Made, kind: str, count: int = 1, home: Home = Home.CONTENT) -> None:
    """Ask for effects in one commit."""
    with made.unit(home) as unit:
        for number in range(count):
            request_effect(unit, kind, {"number": number})
        unit.commit()


def effects(made: Made, home: Home = Home.CONTENT) -> list[Effect | AccountEffect]:
    """Return the tenant's effects."""
    with made.unit(home) as unit:
        return list(unit.session.scalars(select(Effect if home is Home.CONTENT else AccountEffect)))


@contextmanager
def running(units: Units, handlers: dict[str, Handler], **options: object) -> Iterator[Relay]:
    """Run a relay within the block."""
    options = {"listen_url": None, "poll_seconds": 0.05, **options}
    relay = Relay(units, handlers, **options)  # type: ignore[arg-type]
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Return once the condition holds. Raises AssertionError where it does not in time."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it did not come"
        time.sleep(0.005)


def listener(outside: psycopg.Connection) -> tuple[int] | None:
    """Return the process of the connection that listens in this database."""
    return outside.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE %s", [f"LISTEN {CHANNEL}%"]
    ).fetchone()


@pytest.mark.parametrize("home", list(Home))
def test_an_effect_is_delivered_as_its_tenant(tenant: Made, worker_units: Units, home: Home) -> None:
    """A committed effect of either home reaches its handler in its tenant's scope, and is done once it returns."""
    seen: list[tuple[Delivery, UUID | None]] = []
    request(tenant, "test.one", home=home)
    relay = Relay(worker_units, {"test.one": lambda d: seen.append((d, current_tenant()))}, listen_url=None)
    assert relay.run_once() == 1
    assert relay.run_once() == 0
    [(delivery, scope)] = seen
    assert (delivery.tenant_id, delivery.kind, delivery.payload, delivery.attempt) == (
        tenant.id,
        "test.one",
        {"number": 0},
        1,
    )
    assert scope == tenant.id
    assert all(row.done_at is not None for row in effects(tenant, home))


def test_an_effect_of_no_commit_is_not_delivered(tenant: Made, worker_units: Units) -> None:
    """What is rolled back leaves no effect."""
    with tenant.unit() as unit:
        request_effect(unit, "test.one", {})
        unit.session.flush()
    assert Relay(worker_units, {"test.one": lambda d: None}, listen_url=None).run_once() == 0


def test_several_relays_deliver_each_effect_once(tenants: Callable[[], Made], worker_units: Units) -> None:
    """Three relays at once deliver every effect of several tenants, and in the normal case each of them once."""
    made = [tenants() for _ in range(3)]
    for each in made:
        request(each, "test.many", 40)
    seen: Counter[UUID] = Counter()
    lock = threading.Lock()

    def handle(delivery: Delivery) -> None:
        with lock:
            seen[delivery.id] += 1

    handlers: dict[str, Handler] = {"test.many": handle}
    with (
        running(worker_units, handlers, threads=2),
        running(worker_units, handlers, threads=2),
        running(worker_units, handlers, threads=2),
    ):
        wait_for(lambda: len(seen) == 120, 60)
    assert set(seen.values()) == {1}
    assert all(row.done_at is not None for each in made for row in effects(each))


def test_a_failing_kind_blocks_no_other(tenant: Made, worker_units: Units) -> None:
    """A kind whose handler always fails is tried again later, more and more; other kinds go on meanwhile."""
    good: list[int] = []

    def fail(_delivery: Delivery) -> None:
        raise ValueError("always")

    request(tenant, "test.bad", 10)
    request(tenant, "test.good", 10)
    handlers: dict[str, Handler] = {"test.bad": fail, "test.good": lambda d: good.append(d.payload["number"])}
    with running(worker_units, handlers, threads=2):
        wait_for(lambda: len(good) == 10)
    assert sorted(good) == list(range(10))
    bad = [row for row in effects(tenant) if row.kind == "test.bad"]
    assert all(row.done_at is None for row in bad)
    assert {row.last_error for row in bad if row.attempts} == {"ValueError"}


def test_back_off_doubles_and_ends(tenant: Made, worker_units: Units, postgres_server: Database) -> None:
    """After each failure the wait doubles, up to five minutes; an effect that then succeeds is done."""
    request(tenant, "test.bad")
    failing = [True]

    def handle(_delivery: Delivery) -> None:
        if failing[0]:
            raise ValueError

    clock = worker_units.clock = SetClock(datetime.now(UTC) + timedelta(hours=1))  # what waits is not due meanwhile
    relay = Relay(worker_units, {"test.bad": handle}, listen_url=None)
    waits = []
    for _ in range(10):
        assert relay.run_once() == 1
        waits.append(effects(tenant)[0].due_at - clock.now())
        assert relay.run_once() == 0
        with psycopg.connect(postgres_server.superuser) as connection:
            connection.execute("UPDATE auth.effects_due SET due_at = now()")
    assert waits[:4] == [timedelta(seconds=each) for each in (2, 4, 8, 16)]
    assert max(waits) == relays.MOST_BACKOFF
    failing[0] = False
    assert relay.run_once() == 1
    assert effects(tenant)[0].done_at is not None


def test_postponed_does_not_back_off(tenant: Made, worker_units: Units, postgres_server: Database) -> None:
    """While the far end is down an effect is tried again each second, counts no failure, and says no error."""
    request(tenant, "test.later")

    def handle(_delivery: Delivery) -> None:
        raise Postponed

    clock = worker_units.clock = SetClock(datetime.now(UTC))
    relay = Relay(worker_units, {"test.later": handle}, listen_url=None)
    for _ in range(5):
        assert relay.run_once() == 1
        [row] = effects(tenant)
        assert row.due_at - clock.now() == timedelta(seconds=1)
        clock.advance(timedelta(seconds=1))
        assert (row.attempts, row.last_error) == (0, None)
        with psycopg.connect(postgres_server.superuser) as connection:
            connection.execute("UPDATE auth.effects_due SET due_at = now()")


KILLED = """
import os, sys, time
from datetime import UTC, datetime, timedelta
from app.core.settings import settings
from app.db.opening import open_units
from app.outbox import relay
relay.LEASE = timedelta(seconds=2)

def handle(delivery):
    print("begun", delivery.id, flush=True)
    time.sleep(600)

units = open_units(settings(), settings().database_worker_url.get_secret_value())
relay.Relay(units, {"test.killed": handle}, listen_url=None).run_once()
"""


def test_a_killed_handler_is_followed_by_another(
    tenant: Made, worker_units: Units, environment: dict[str, str], postgres_server: Database
) -> None:
    """An effect whose process is killed half-way is delivered again, by another, once its lease is over, not before."""
    request(tenant, "test.killed")
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline().startswith("begun")
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    with psycopg.connect(postgres_server.superuser) as outside:
        [over] = outside.execute("SELECT lease_until FROM auth.effects_due WHERE kind = 'test.killed'").fetchone()
    seen: list[datetime] = []
    with running(worker_units, {"test.killed": lambda _delivery: seen.append(datetime.now(UTC))}):
        wait_for(lambda: bool(seen))
    assert len(seen) == 1 and seen[0] >= over


def test_a_commit_wakes_the_relay(
    environment: object, worker_units: Units, tenants: Callable[[], Made], postgres_server: Database
) -> None:
    """With a poll of ten minutes, an effect's handler begins soon after its commit, each time: NOTIFY came."""
    url = settings().database_url.get_secret_value()
    waker = Waker(url)
    units = open_units(settings(), url, on_effects=waker.wake)
    made = tenants()
    mine = Made(made.id, made.slug, made.email, made.password, made.actor, units)
    seen: list[Delivery] = []
    listen = settings().database_worker_url
    assert listen is not None
    options = {"listen_url": listen.get_secret_value(), "poll_seconds": 600.0}
    try:
        with (
            psycopg.connect(postgres_server.superuser, autocommit=True) as outside,
            running(worker_units, {"test.woken": seen.append}, **options),
        ):
            wait_for(lambda: listener(outside) is not None)
            for number in range(5):
                request(mine, "test.woken")
                wait_for(lambda wanted=number + 1: len(seen) == wanted)
                time.sleep(0.1)
    finally:
        units.engines.dispose()


def test_a_lost_notice_is_found_by_the_poll(tenant: Made, worker_units: Units) -> None:
    """Without any NOTIFY an effect is found by the next poll."""
    seen: list[Delivery] = []
    with running(worker_units, {"test.lost": seen.append}, poll_seconds=0.5):
        time.sleep(0.2)
        request(tenant, "test.lost")
        wait_for(lambda: bool(seen))


def test_a_listener_that_is_cut_off_listens_again(
    tenant: Made, worker_units: Units, environment: object, postgres_server: Database
) -> None:
    """When the listening connection is ended, the relay opens another and looks at once."""
    seen: list[Delivery] = []
    listen = settings().database_worker_url
    assert listen is not None
    with (
        psycopg.connect(postgres_server.superuser, autocommit=True) as outside,
        running(worker_units, {"test.cut": seen.append}, listen_url=listen.get_secret_value(), poll_seconds=1.5),
    ):
        wait_for(lambda: listener(outside) is not None)
        first = listener(outside)
        outside.execute("SELECT pg_terminate_backend(%s)", first)
        wait_for(lambda: listener(outside) not in (None, first))
        request(tenant, "test.cut")
        outside.execute(f"NOTIFY {CHANNEL}".encode())
        wait_for(lambda: bool(seen))


def test_one_tenants_crowd_delays_no_other(tenants: Callable[[], Made], worker_units: Units) -> None:
    """Behind 500 slow effects of one tenant, another's one effect begins after a few of them, not after all."""
    crowd, single = tenants(), tenants()
    request(crowd, "test.crowd", 500)
    request(single, "test.crowd")
    order: list[UUID] = []
    lock = threading.Lock()

    def handle(delivery: Delivery) -> None:
        with lock:
            order.append(delivery.tenant_id)
        time.sleep(0.02)

    with running(worker_units, {"test.crowd": handle}, threads=2):
        wait_for(lambda: single.id in order)
    assert order.index(single.id) <= 10


def test_a_lease_is_longer_than_a_handler_takes() -> None:
    """The lease leaves room for the slowest handler's time limits (8 s for a look at a proof)."""
    assert timedelta(seconds=16) <= relays.LEASE
