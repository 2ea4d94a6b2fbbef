"""Tenants take turns at the relay: a flood costs the others nothing, a larger plan goes first, nobody starves."""

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from app.db import work
from app.db.engines import NOBODY
from app.db.units import Units
from app.db.work import Hands
from app.outbox.beginnings import Beginnings
from app.outbox.relay import Delivery, Handler, Relay
from tests.outbox.test_relay import request, running, wait_for
from tests.peers.tenants import Made
from tests.plugins.servers import Database

pytestmark = pytest.mark.postgres

KIND = "test.turn"
NONE = Hands({}, [], [], 8)


@pytest.fixture
def directory(postgres_server: Database):
    """A superuser's connection, before which no effect is due and nobody was served."""
    with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
        connection.execute("TRUNCATE auth.effects_due, auth.relay_turns")
        yield connection
        connection.execute("TRUNCATE auth.effects_due, auth.relay_turns")


def add_due(directory: psycopg.Connection, tenant_id: UUID, count: int = 1) -> None:
    """Make effects due, the oldest an hour old."""
    directory.execute(
        "INSERT INTO auth.effects_due (tenant_id, home, id, kind, due_at) SELECT %s, 'content', gen_random_uuid(), %s, "
        "now() - interval '1 hour' + n * interval '1 ms' FROM generate_series(1, %s) n",
        [tenant_id, KIND, count],
    )


def claim(units: Units, most: int = 8, hands: Hands = NONE) -> list[UUID]:
    """Return the tenants whose effects are claimed, and who then have them no longer."""
    session = units.start(units.engines.control, NOBODY)
    try:
        claimed = work.claim_effects(session, [KIND], most, timedelta(seconds=20), hands)
        session.commit()
        return [each.tenant_id for each in claimed]
    finally:
        session.close()


def test_a_backlog_is_not_read(directory: psycopg.Connection, postgres_server: Database) -> None:
    """A claim beside 10,000 due effects of one tenant reads the heads of both tenants' lines and nothing more."""
    flood, single = uuid4(), uuid4()
    add_due(directory, flood, 10_000)
    add_due(directory, single)
    with psycopg.connect(postgres_server.superuser) as connection:
        query = "SELECT tenant_id FROM auth.claim_effects(%s, 8, interval '20 s', '{}', '{}', '{}', '{}', 8)"
        claimed = {row[0] for row in connection.execute(query, [[KIND]]).fetchall()}
        [read] = connection.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_all_tables "
            "WHERE relid = 'auth.effects_due'::regclass"
        ).fetchone()
    assert claimed == {flood, single}
    assert read < 30


def test_whoever_waited_longest_for_its_weight_is_next(
    directory: psycopg.Connection, worker_units: Units, tenants: Callable[[], Made]
) -> None:
    """Of equal plans the one served longer ago; of a larger plan sooner, by its weight; one never served at once."""
    small, large, new = tenants(), tenants(), tenants()
    with psycopg.connect(directory.info.dsn, password=directory.info.password, autocommit=True) as connection:
        connection.execute("UPDATE auth.tenants SET plan = 'enterprise' WHERE tenant_id = %s", [large.id])
        connection.execute("UPDATE auth.tenants SET plan = 'free' WHERE tenant_id <> %s", [large.id])
    hands = Hands({"free": 1, "enterprise": 3}, [], [], 8)

    def order(small_ago: int, large_ago: int) -> list[UUID]:
        directory.execute("TRUNCATE auth.effects_due, auth.relay_turns")
        for each, ago in ((small, small_ago), (large, large_ago)):
            add_due(directory, each.id)
            directory.execute(
                "INSERT INTO auth.relay_turns VALUES (%s, now() - %s * interval '1 minute')", [each.id, ago]
            )
        return [claim(worker_units, 1, hands)[0] for _ in range(2)]

    assert order(4, 2) == [large.id, small.id]
    assert order(10, 2) == [small.id, large.id]
    order(10, 10)
    add_due(directory, small.id)
    add_due(directory, new.id)
    assert claim(worker_units, 1, hands) == [new.id]


def test_a_flood_and_another_take_turns(directory: psycopg.Connection, worker_units: Units) -> None:
    """Claimed one by one, an old backlog of 100 and a younger one of 5 alternate."""
    flood, other = uuid4(), uuid4()
    add_due(directory, flood, 100)
    directory.execute("UPDATE auth.effects_due SET due_at = due_at - interval '1 hour'")
    add_due(directory, other, 5)
    with psycopg.connect(directory.info.dsn, password=directory.info.password, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO auth.tenants (tenant_id, slug, name, plan, status) "
            "SELECT each, each::text, 'Made', 'free', 'active' FROM unnest(%s::uuid[]) each",
            [[flood, other]],
        )
    order = [claim(worker_units, 1)[0] for _ in range(10)]
    assert sorted(order[:2]) == sorted({flood, other})
    assert [order.count(each) for each in (flood, other)] == [5, 5]
    directory.execute("DELETE FROM auth.tenants WHERE tenant_id = ANY (%s)", [[flood, other]])
    assert directory.execute("SELECT count(*) FROM auth.relay_turns").fetchone() == (0,)


def test_hands_that_are_full_get_nothing_more(directory: psycopg.Connection, worker_units: Units) -> None:
    """A tenant at its share is passed over; those with something in hand get what is spare, together."""
    one, two, three = uuid4(), uuid4(), uuid4()
    for each in (one, two, three):
        add_due(directory, each, 3)
    assert set(claim(worker_units, 8, Hands({}, [one], [one, two], 0))) == {three}
    assert len(set(claim(worker_units, 8, Hands({}, [], [one, two], 1))) - {three}) == 1
    assert set(claim(worker_units)) == {one, two, three}


def test_threads_are_left_for_others_while_a_flood_hangs(
    tenants: Callable[[], Made], worker_units: Units, directory: psycopg.Connection
) -> None:
    """While every effect of two floods hangs, a third tenant's are delivered, one after the other."""
    floods, single = [tenants(), tenants()], tenants()
    for each in floods:
        request(each, KIND, 20)
    release, hanging, seen = threading.Event(), [], []

    def handle(delivery: Delivery) -> None:
        if delivery.tenant_id == single.id:
            seen.append(delivery.id)
            return
        hanging.append(delivery.tenant_id)
        release.wait(120)

    handlers: dict[str, Handler] = {KIND: handle}
    with running(worker_units, handlers, threads=4):
        try:
            wait_for(lambda: len(hanging) == 2)
            request(single, KIND, 3)
            wait_for(lambda: len(seen) == 3)
            assert len(hanging) == 2
        finally:
            release.set()
        wait_for(lambda: len(hanging) == 40)


def test_busy_tenants_that_are_paced_leave_the_relay_to_others(
    directory: psycopg.Connection, tenants: Callable[[], Made], worker_units: Units
) -> None:
    """While one of two floods begins neither gets anything, a third tenant at once; then one effect goes at a time."""
    floods, single = [tenants(), tenants()], tenants()
    taken: list[UUID] = []

    class Paced(Beginnings):
        closed = 60.0

        def paced(self) -> tuple[list[UUID], float]:
            return [each.id for each in floods], self.closed

    beginnings = Paced()
    handlers: dict[str, Handler] = {KIND: lambda delivery: taken.append(delivery.tenant_id)}
    relay = Relay(worker_units, handlers, listen_url=None, beginnings=beginnings)
    for each in (*floods, single):
        request(each, KIND, 2)
    assert [relay.run_once() for _ in range(3)] == [1, 1, 0]
    assert taken == [single.id, single.id]
    beginnings.closed = 0.0
    assert [relay.run_once() for _ in range(5)] == [1, 1, 1, 1, 0]
    assert [taken.count(each.id) for each in floods] == [2, 2]
    relay.stop()
