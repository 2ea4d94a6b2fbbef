"""kill -9 on each part at random moments, with scans in flight: every accepted scan is finished, once.

`KILLS_SEED` chooses the moments (else a random seed, which is printed), `KILLS` how many there are.
"""

import asyncio
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import pytest

from tests.peers.blows import PARTS, Blow, order_of, strike, table_of
from tests.peers.checkouts import Run, bare_environment, copy_checkout
from tests.peers.installations import Installation, Reader
from tests.peers.ledgers import Sets, faults_in_graph, faults_in_rows, left_open, seen_by_asset
from tests.peers.patience import within
from tests.peers.quota_books import faults_in_quotas
from tests.peers.traffic import Traffic, make_customers

CUSTOMERS = 4  # of whose scans five run at once
DEPTH = 5
LEAST_IN_FLIGHT = 10
BOUND_SECONDS = 60.0
LATEST_MOMENT = 4.0
GRACE_SECONDS = 12.0
POLL_SECONDS = 62.0


@pytest.fixture
def installation() -> Iterator[Installation]:
    """`make run` in a checkout of its own, with its default settings."""
    directory = Path(tempfile.mkdtemp(prefix="kills-"))
    run = Run(copy_checkout(directory, with_environment=True), bare_environment()).start()
    try:
        yield Installation(run)
    finally:
        run.stop()
        shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True)
class Siege:
    """What was killed, and what must have come of it."""

    blows: list[Blow]
    tenants: list[UUID]
    accepted: set[UUID]
    expected: Sets


_ENDED = """
    SELECT count(*) FILTER (WHERE finished_at IS NULL), extract(epoch FROM max(finished_at))::float FROM shared.scans
    WHERE NOT simulated AND created_at <= to_timestamp(%(restarted)s)
      AND (finished_at IS NULL OR finished_at >= to_timestamp(%(struck)s))
"""


def watch_over(blow: Blow, reader: Reader) -> None:
    """Wait until every scan that was accepted before the restart is over, or too long; note when the last one was."""

    def over() -> bool:
        [(left, last)] = reader.rows(_ENDED, restarted=blow.restarted, struck=blow.struck)
        if not left:
            blow.over = last or blow.restarted
        return left == 0

    within(BOUND_SECONDS + blow.restarted - time.time(), over)


def one_of_each(traffic: Traffic, customers: list, reader: Reader) -> None:
    """Scan everything once while nothing is killed, to know what each scan must see."""
    for customer in customers:
        for asset_id, tool in customer.assets:
            assert traffic.post(customer, asset_id, tool)
    assert within(180, lambda: not left_open(reader)), left_open(reader)


def bombard(installation: Installation, order: list[str], chance: random.Random, say: Callable[[str], None]) -> Siege:
    """Kill the parts in this order amid scans, and prove that nothing was lost, done twice or left."""
    reader = installation.reader()
    customers = make_customers(installation, CUSTOMERS)
    tenants = [customer.id for customer in customers]
    traffic = Traffic(installation, customers, DEPTH)
    one_of_each(traffic, customers, reader)
    expected = seen_by_asset(reader, tenants)
    assert len(expected) == sum(len(customer.assets) for customer in customers)
    traffic.start()
    blows = []
    for part in order:
        moment = chance.uniform(0, LATEST_MOMENT)
        time.sleep(moment)
        assert within(120, lambda: traffic.in_flight >= LEAST_IN_FLIGHT), traffic.refused
        blow = strike(installation, part, traffic.in_flight, chance)
        watch_over(blow, reader)
        blows.append(blow)
        say(
            f"{len(blows):2} {part:22} after {moment:3.1f} s, {blow.in_flight} in flight; "
            f"restarted in {blow.restarted - blow.struck:4.1f} s, all over {blow.recovery:4.1f} s later"
        )
    traffic.stop()
    settled = within(BOUND_SECONDS, lambda: not left_open(reader))
    say(f"{len(traffic.accepted)} scans accepted; other answers: {dict(traffic.refused)}")
    assert settled, left_open(reader)
    late = [blow for blow in blows if blow.recovery > BOUND_SECONDS]
    assert not late, f"not over within {BOUND_SECONDS:.0f} s of the restart: {late}"
    assert faults_in_rows(reader, tenants, set(traffic.accepted), expected) == []
    assert faults_in_quotas(reader.rows, tenants) == []
    assert faults_in_graph(installation, tenants) == []
    assert asyncio.run(installation.open_workflows()) == []
    idle_queues_are_left(installation, tenants, full=len(order) > len(PARTS))
    return Siege(blows, tenants, set(traffic.accepted), expected)


def idle_queues_are_left(installation: Installation, tenants: list[UUID], *, full: bool) -> None:
    """Nobody polls the queue of a tenant without work once the grace is over; a poll may last a minute."""
    if full:
        time.sleep(GRACE_SECONDS)
        since = time.time()
        time.sleep(POLL_SECONDS)
        assert asyncio.run(installation.polled_since([f"sentinel-{one}" for one in tenants], since)) == []


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a line past pytest's capture."""

    def told(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return told


@pytest.mark.prove
@pytest.mark.timeout(1500)
def test_every_accepted_scan_is_finished_once_whatever_is_killed(
    installation: Installation, say: Callable[[str], None]
) -> None:
    """20 kills of web, worker, Temporal, Postgres and graph: all scans end within 60 s of the restart, done once."""
    seed = int(os.environ.get("KILLS_SEED") or random.randrange(10**6))
    chance = random.Random(seed)
    say(f"\nKILLS_SEED={seed}")
    siege = bombard(installation, order_of(chance, int(os.environ.get("KILLS", "20"))), chance, say)
    say(table_of(siege.blows))


PLANTED: tuple[LiteralString, ...] = (
    "UPDATE shared.scans SET status = 'failed' WHERE id = (SELECT max(id::text)::uuid FROM shared.scans "
    "WHERE tenant_id = %(tenant)s) RETURNING id",
    "DELETE FROM shared.finding_sightings WHERE scan_id = (SELECT min(scan_id::text)::uuid "
    "FROM shared.finding_sightings WHERE tenant_id = %(tenant)s) RETURNING scan_id",
)


@pytest.mark.timeout(600)
def test_scans_survive_a_killed_worker_and_a_killed_postgres(installation: Installation) -> None:
    """The worker and Postgres are killed once each amid scans: all end, done once; planted faults are reported."""
    siege = bombard(installation, ["worker", "postgres"], random.Random(7), lambda _: None)
    reader, tenant = installation.reader(), siege.tenants[0]
    planted = [reader.rows(statement, tenant=tenant)[0][0] for statement in PLANTED]
    found = faults_in_rows(reader, siege.tenants, siege.accepted | {UUID(int=1)}, siege.expected)
    assert any("is lost" in fault for fault in found)
    assert all(any(str(scan) in fault for fault in found) for scan in planted), found
    installation.graph_rows(
        "MATCH (a:Scan) WHERE $label IN labels(a) WITH a LIMIT 1 DETACH DELETE a", label=f"Tenant_{tenant.hex}"
    )
    assert any("0 times in the graph" in fault for fault in faults_in_graph(installation, siege.tenants))
