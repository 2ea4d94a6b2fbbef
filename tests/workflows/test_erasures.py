"""What Temporal keeps of an erased tenant: nothing, open or closed; of its neighbour everything."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client

from app.core.errors import Unavailable
from app.services.erasers import Executions
from app.tenancy.context import tenant_scope
from app.workflows.erasures import TemporalExecutions
from app.workflows.names import queue_name, workflow_id
from tests.peers.echoes import EchoWorkflow
from tests.workflows.conftest import Workshop


async def begin(workshop: Workshop, tenant_id: UUID, *, over: bool) -> None:
    """Start a workflow that nobody works on, and end it if it is to be over."""
    with tenant_scope(tenant_id):
        handle = await workshop.client.start_workflow(
            EchoWorkflow.run, "x", id=workflow_id(tenant_id, uuid4(), uuid4()), task_queue=queue_name(tenant_id)
        )
        if over:
            await handle.terminate()


async def found(executions: TemporalExecutions, tenant_id: UUID, wanted: Executions, seconds: float = 60) -> Executions:
    """Return what is counted, once it is what is wanted or the time is over: the server lists with a delay."""
    deadline = time.monotonic() + seconds
    while True:
        counted = await asyncio.to_thread(executions.count, tenant_id)
        if counted == wanted or time.monotonic() > deadline:
            return counted
        await asyncio.sleep(0.05)


async def closed(executions: TemporalExecutions, tenant_id: UUID) -> bool:
    """Tell whether none is under way, waiting a little for the server's list."""
    deadline = time.monotonic() + 60
    while (await asyncio.to_thread(executions.count, tenant_id)).open and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return not (await asyncio.to_thread(executions.count, tenant_id)).open


@pytest.mark.parametrize("to_the_end", [False, pytest.param(True, marks=pytest.mark.prove)])
def test_executions_are_removed(
    with_temporal: Callable[[Callable[[Workshop], Coroutine[Any, Any, None]]], None], tenant_id: UUID, to_the_end: bool
) -> None:
    """Those under way are terminated, all are deleted, which the server does in its own time; a neighbour's stay."""

    async def scenario(workshop: Workshop) -> None:
        neighbour = uuid4()
        for whose, over in ((tenant_id, False), (tenant_id, True), (tenant_id, True), (neighbour, False)):
            await begin(workshop, whose, over=over)
        executions = TemporalExecutions(asyncio.get_running_loop(), lambda: workshop.client)
        for whose, wanted in ((tenant_id, Executions(1, 2)), (neighbour, Executions(1, 0))):
            assert await found(executions, whose, wanted) == wanted
        await asyncio.to_thread(executions.remove, tenant_id)
        await asyncio.to_thread(executions.remove, tenant_id)  # asked for twice
        if to_the_end:
            nothing = Executions(0, 0)
            while await found(executions, tenant_id, nothing, 5) != nothing:  # the eraser asks again, too
                await asyncio.to_thread(executions.remove, tenant_id)
            assert not [one.id async for one in workshop.client.list_workflows() if str(tenant_id) in one.id]
        else:
            assert await closed(executions, tenant_id)
        assert await asyncio.to_thread(executions.count, neighbour) == Executions(1, 0)

    with_temporal(scenario)


def test_while_temporal_is_away_nothing_is_said_to_be_removed(tenant_id: UUID) -> None:
    """Before the worker is connected, counting and removing are refused as unavailable."""

    async def scenario() -> None:
        def nobody() -> Client | None:
            return None

        executions = TemporalExecutions(asyncio.get_running_loop(), nobody)
        for attempt in (executions.count, executions.remove):
            with pytest.raises(Unavailable):
                await asyncio.to_thread(attempt, tenant_id)

    asyncio.run(scenario())
