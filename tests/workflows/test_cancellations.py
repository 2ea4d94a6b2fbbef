"""Cancelled by staff, a scan ends in Postgres and in Temporal, also where Temporal has lost its workflow."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.service import RPCError

from app.models.trails import Effect
from app.outbox.relay import Delivery
from app.services import scans
from app.tenancy.context import tenant_scope
from app.workflows.dispatch import Dispatcher
from tests.peers.staff import STAFF
from tests.peers.standstills import stuck_scan_of
from tests.peers.tenants import Made

pytestmark = [pytest.mark.temporal, pytest.mark.postgres]

Run = Callable[[Callable[[Any], Any]], None]


def cancelled(made: Made) -> tuple[str, Delivery]:
    """Have staff cancel a scan that hangs; return the id of its workflow, and the effect for the relay."""
    scan_id = stuck_scan_of(made)
    with made.unit(actor=STAFF) as unit:
        scans.cancel_for_staff(unit, scan_id, "It hung since noon")
        unit.commit()
    with made.unit() as unit:
        row = unit.session.scalars(select(Effect).where(Effect.kind == "scan.cancel")).all()[-1]
        return str(row.payload["workflow_id"]), Delivery(made.id, row.id, row.kind, row.payload, 1)


def test_a_hanging_workflow_is_cancelled_and_a_lost_one_is_done_with(with_temporal: Run, tenant: Made) -> None:
    """The workflow whose probe never answers ends as cancelled; of one that Temporal never had nothing is left."""
    (hanging, effect), (lost, another) = cancelled(tenant), cancelled(tenant)

    async def scenario(shop: Any) -> None:
        dispatcher = Dispatcher(asyncio.get_running_loop(), lambda: shop.client, lambda _id: [], lambda _id: None)
        _tenant, engagement, scan = hanging.split(":")
        row = shop.records.add(tenant.id, scan_id=UUID(scan), engagement_id=UUID(engagement))
        shop.probe.released.clear()
        with tenant_scope(tenant.id):
            async with shop.scanning().worker_of(tenant.id):
                handle = await shop.begin(row)
                assert await asyncio.to_thread(shop.probe.started.wait, 20)
                await asyncio.to_thread(dispatcher.cancel, effect)
                with pytest.raises(WorkflowFailureError):
                    await asyncio.wait_for(handle.result(), 20)
            assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
        await asyncio.to_thread(dispatcher.cancel, another)
        with tenant_scope(tenant.id), pytest.raises(RPCError, match="not found"):
            await shop.client.get_workflow_handle(lost).describe()

    with_temporal(scenario)
    with tenant.unit() as unit:
        assert {scan.status for scan in scans.list_scans(unit).rows} == {"cancelled"}
