"""Queues are polled while their tenants have work, and no more at once than the cap."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.tenancy.context import current_tenant, tenant_scope
from app.workflows.hosts import TenantWorkers
from tests.peers.patience import until
from tests.peers.scanrecords import ScanRow

pytestmark = pytest.mark.temporal

Run = Callable[[Callable[[Any], Any]], None]


@asynccontextmanager
async def hosting(shop: Any, **limits: Any) -> AsyncIterator[TenantWorkers]:
    """Hosts that run until the block is left."""
    values = {"cap": 10, "grace": 0.6, "turn": 0.5, "interval": 0.1, **limits}
    hosts = TenantWorkers(shop.scanning().worker_of, shop.records.open_tenants, **values)
    task = asyncio.create_task(hosts.run())
    await asyncio.sleep(0)
    try:
        yield hosts
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def begin(shop: Any, row: ScanRow) -> None:
    with tenant_scope(row.tenant_id):
        await shop.begin(row)


def test_a_queue_is_polled_for_its_work_and_no_longer(with_temporal: Run, tenant_id: UUID) -> None:
    """A worker starts when the tenant's work is announced and stops soon after the last scan is over."""

    async def scenario(shop: Any) -> None:
        async with hosting(shop) as hosts:
            assert hosts.polling == frozenset()
            row = shop.records.add(tenant_id)
            hosts.ensure(tenant_id)
            shop.probe.released.clear()
            await begin(shop, row)
            await until(shop.probe.started.is_set)
            assert hosts.polling == {tenant_id}
            shop.probe.released.set()
            await until(lambda: row.status == "done")
            await until(lambda: not hosts.polling)
            await asyncio.sleep(0.3)  # a task that meets a worker as it leaves waits for its time-out
            again = shop.records.add(tenant_id)
            hosts.ensure(tenant_id)
            await begin(shop, again)
            await until(lambda: again.status == "done")
        assert hosts.polling == frozenset()

    with_temporal(scenario)


def test_work_found_at_the_start_is_hosted_unasked(with_temporal: Run, tenant_id: UUID) -> None:
    """Scans that were open when the process started are carried out without being announced."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        await begin(shop, row)
        async with hosting(shop):
            await until(lambda: row.status == "done")

    with_temporal(scenario)


def test_a_database_that_is_away_stops_no_worker(with_temporal: Run, tenant_id: UUID) -> None:
    """While nobody can tell which tenants have work, those that are hosted stay."""

    async def scenario(shop: Any) -> None:
        async with hosting(shop) as hosts:
            shop.probe.released.clear()
            row = shop.records.add(tenant_id)
            hosts.ensure(tenant_id)
            await begin(shop, row)
            await until(shop.probe.started.is_set)
            shop.records.down = True
            await asyncio.sleep(1.5)
            assert hosts.polling == {tenant_id}
            shop.records.down = False
            shop.probe.released.set()
            await until(lambda: row.status == "done")

    with_temporal(scenario)


def test_no_more_queues_are_polled_than_the_cap_and_every_tenant_has_its_turn(with_temporal: Run) -> None:
    """With two places, eight tenants' scans are all done, two tenants being polled at once at most."""
    assert current_tenant() is None

    async def scenario(shop: Any) -> None:
        rows = [shop.records.add(uuid4()) for _ in range(8)]
        for row in rows:
            await begin(shop, row)
        seen = []
        async with hosting(shop, cap=2) as hosts:

            def done() -> bool:
                seen.append(len(hosts.polling))
                return all(row.status == "done" for row in rows)

            await until(done, 150)
        assert max(seen) == 2

    with_temporal(scenario)


def test_a_tenant_with_endless_work_does_not_keep_its_place(with_temporal: Run, tenant_id: UUID) -> None:
    """With one place, held by a tenant whose probe does not end, another tenant's scan begins; then both end."""

    async def scenario(shop: Any) -> None:
        shop.probe.released.clear()
        greedy, modest = shop.records.add(tenant_id), shop.records.add(uuid4())
        async with hosting(shop, cap=1) as hosts:
            hosts.ensure(tenant_id)
            await begin(shop, greedy)
            await until(shop.probe.started.is_set)
            await begin(shop, modest)
            hosts.ensure(modest.tenant_id)
            await until(lambda: modest.status == "running")
            assert greedy.status == "running"
            shop.probe.released.set()
            await until(lambda: modest.status == "done" and greedy.status == "done")
        assert shop.records.completions == 2

    with_temporal(scenario)


def test_a_worker_that_falls_is_replaced(with_temporal: Run, tenant_id: UUID) -> None:
    """When making or running a worker fails, the next look tries again while there is work."""

    async def scenario(shop: Any) -> None:
        duties, falls = shop.scanning(), [RuntimeError("no"), RuntimeError("no")]

        def worker_of(tenant: UUID) -> Any:
            if falls:
                raise falls.pop()
            return duties.worker_of(tenant)

        hosts = TenantWorkers(worker_of, shop.records.open_tenants, cap=2, interval=0.1)
        task = asyncio.create_task(hosts.run())
        row = shop.records.add(tenant_id)
        await begin(shop, row)
        await until(lambda: row.status == "done")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    with_temporal(scenario)
