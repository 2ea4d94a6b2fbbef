"""Removes what Temporal keeps of a tenant: executions open and closed, found by their queue and by their ids."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from app.core.errors import Unavailable
from app.services.erasers import Executions
from app.tenancy.context import tenant_scope
from app.workflows.names import queue_name

_RPC_LASTS = timedelta(seconds=5)
_COUNT_SECONDS = 60.0
_REMOVE_SECONDS = 600.0
_AT_ONCE = 16
AWAY = "Temporal is not available at present."

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Found:
    workflow_id: str
    run_id: str
    is_open: bool


class TemporalExecutions:
    """A tenant's executions, for threads of the worker; Temporal is spoken to on the event loop.

    Raises Unavailable while Temporal is away.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, client: Callable[[], Client | None]) -> None:
        self._loop, self._client = loop, client

    def count(self, tenant_id: UUID) -> Executions:
        """Return how many there are."""
        return self._carry_out(_count(self._connected(), tenant_id), _COUNT_SECONDS)

    def remove(self, tenant_id: UUID) -> None:
        """Terminate the open ones and have all deleted, which the server does in its own time: ask until it is done."""
        self._carry_out(_remove(self._connected(), tenant_id), _REMOVE_SECONDS)

    def _connected(self) -> Client:
        client = self._client()
        if client is None:
            raise Unavailable(AWAY)
        return client

    def _carry_out(self, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise Unavailable(AWAY) from None
        except RPCError as error:
            raise Unavailable(AWAY) from error


async def _list(client: Client, tenant_id: UUID) -> AsyncIterator[_Found]:
    query = f'TaskQueue = "{queue_name(tenant_id)}" OR WorkflowId STARTS_WITH "{tenant_id}:"'
    async for found in client.list_workflows(query, rpc_timeout=_RPC_LASTS):
        yield _Found(found.id, found.run_id, found.status is WorkflowExecutionStatus.RUNNING)


async def _count(client: Client, tenant_id: UUID) -> Executions:
    found = [one.is_open async for one in _list(client, tenant_id)]
    return Executions(sum(found), len(found) - sum(found))


async def _remove(client: Client, tenant_id: UUID) -> None:
    room = asyncio.Semaphore(_AT_ONCE)
    found = [one async for one in _list(client, tenant_id)]
    with tenant_scope(tenant_id):
        await asyncio.gather(*(_delete(client, one, room) for one in found))


async def _delete(client: Client, one: _Found, room: asyncio.Semaphore) -> None:
    async with room:
        try:
            if one.is_open:
                handle = client.get_workflow_handle(one.workflow_id, run_id=one.run_id)
                await handle.terminate(reason="the tenant is erased", rpc_timeout=_RPC_LASTS)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        try:
            execution = WorkflowExecution(workflow_id=one.workflow_id, run_id=one.run_id)
            request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
            await client.workflow_service.delete_workflow_execution(request, timeout=_RPC_LASTS)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
