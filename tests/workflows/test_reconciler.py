"""What was lost between Postgres and Temporal is found and mended."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.tenancy.context import tenant_scope
from app.workflows.reconciler import INTERRUPTED, Reconciler
from tests.peers.patience import until

pytestmark = pytest.mark.temporal

Run = Callable[[Callable[[Any], Any]], None]


def reconciler(shop: Any, ensured: list[UUID]) -> Reconciler:
    return Reconciler(shop.client, shop.records, ensured.append, older_than=timedelta(0))


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_scan_whose_workflow_is_gone_is_started_again(with_temporal: Run, tenant_id: UUID, status: str) -> None:
    """An admitted scan that Temporal does not know runs to its end."""

    async def scenario(shop: Any) -> None:
        row, ensured = shop.records.add(tenant_id, status=status), []
        await reconciler(shop, ensured).look()
        assert ensured == [tenant_id]
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                outcome = await shop.client.get_workflow_handle(row.workflow_id).result()
        assert (outcome["status"], row.status) == ("done", "done")

    with_temporal(scenario)


def test_a_running_workflow_is_left_alone_and_polled_for(with_temporal: Run, tenant_id: UUID) -> None:
    """A scan whose workflow is open is not started again; its tenant's queue is polled."""

    async def scenario(shop: Any) -> None:
        row, ensured = shop.records.add(tenant_id), []
        with tenant_scope(tenant_id):
            handle = await shop.begin(row)
            before = (await handle.describe()).run_id
        await reconciler(shop, ensured).look()
        with tenant_scope(tenant_id):
            assert (await handle.describe()).run_id == before
        assert (ensured, row.status) == ([tenant_id], "queued")

    with_temporal(scenario)


def test_an_open_scan_whose_workflow_is_over_fails_with_words(with_temporal: Run, tenant_id: UUID) -> None:
    """A scan whose workflow somebody ended fails, and says that it was interrupted."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        with tenant_scope(tenant_id):
            await (await shop.begin(row)).terminate()
        await reconciler(shop, []).look()
        assert (row.status, row.reason) == ("failed", INTERRUPTED)

    with_temporal(scenario)


def test_scans_that_wait_for_a_place_are_not_started_but_asked_after_once_a_minute(
    with_temporal: Run, tenant_id: UUID
) -> None:
    """A scan that was not admitted goes back to admission, once however often we look, and not past its plan."""

    async def scenario(shop: Any) -> None:
        row, ensured = shop.records.add(tenant_id, admitted=False), []
        subject = reconciler(shop, ensured)
        for _ in range(3):
            await subject.look()
        assert (row.readmitted, ensured, row.status) == (1, [], "queued")

    with_temporal(scenario)


def test_the_reconciler_survives_a_database_that_is_away(with_temporal: Run, tenant_id: UUID) -> None:
    """A look that fails is followed by another."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        shop.records.down = True
        ensured: list[UUID] = []
        subject = Reconciler(shop.client, shop.records, ensured.append, older_than=timedelta(0), interval=0.05)
        task = asyncio.create_task(subject.run())
        await asyncio.sleep(0.3)
        assert not ensured
        shop.records.down = False
        async with shop.scanning().worker_of(tenant_id):
            await until(lambda: row.status == "done")
        task.cancel()

    with_temporal(scenario)
