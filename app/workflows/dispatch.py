"""Carries out what transactions asked for: starts the workflows of admitted scans, cancels those of cancelled ones.

Both effects may be asked for any number of times: a start delivered twice runs once.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from app.outbox.relay import Delivery, Postponed
from app.tenancy.context import tenant_scope
from app.workflows.names import queue_name
from app.workflows.scans import ScanOrder, ScanWorkflow

log = logging.getLogger(__name__)

_RPC_LASTS = timedelta(seconds=5)
_EFFECT_SECONDS = 12.0

_AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.CANCELLED,
    }
)

Result = TypeVar("Result")


class Admitted(Protocol):
    """A scan that may start now."""

    @property
    def scan_id(self) -> UUID: ...
    @property
    def workflow_id(self) -> str: ...


Admission = Callable[[], AbstractContextManager[Sequence[Admitted]]]
"""Opens one transaction of the tenant in the context and gives the scans admitted in it; leaving well commits."""


class Dispatcher:
    """The effects `scan.dispatch` and `scan.cancel`, for relay threads; Temporal is spoken to on the event loop.

    `ensure` makes the tenant's queue polled. Raises Postponed while Temporal is away, and what the database raises: the
    relay tries again.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: Callable[[], Client],
        admission: Admission,
        ensure: Callable[[UUID], None],
    ) -> None:
        self._loop, self._client, self._admission, self._ensure = loop, client, admission, ensure

    def dispatch(self, delivery: Delivery) -> None:
        """Start the workflow of every scan that the tenant's plan leaves room for.

        The tenant's worker starts to poll while the server is asked to start the workflow, so that the first activity
        does not wait for either. A start before a commit that fails is harmless: the scan is claimed, or is not.
        """
        tenant_id = delivery.tenant_id
        with tenant_scope(tenant_id), self._admission() as admitted:
            if admitted:
                client = self._client()
                self._ensure(tenant_id)
                self._carry_out(_start_all(client, tenant_id, admitted))

    def cancel(self, delivery: Delivery) -> None:
        """Cancel a scan's workflow; one that never began, or is over, is left alone."""
        client = self._client()
        self._ensure(delivery.tenant_id)
        self._carry_out(_cancel(client, delivery.tenant_id, str(delivery.payload["workflow_id"])))

    def _carry_out(self, work: Coroutine[Any, Any, Result]) -> Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(_EFFECT_SECONDS)
        except TimeoutError:
            future.cancel()
            raise Postponed from None
        except RPCError as error:
            if error.status in _AWAY:
                raise Postponed from error
            raise


async def _start_all(client: Client, tenant_id: UUID, admitted: Sequence[Admitted]) -> None:
    with tenant_scope(tenant_id):
        await asyncio.gather(*(start(client, tenant_id, scan) for scan in admitted))


async def start(client: Client, tenant_id: UUID, scan: Admitted) -> None:
    """Start the scan's workflow, once however often this is called."""
    try:
        await client.start_workflow(
            ScanWorkflow.run,
            ScanOrder(str(scan.scan_id)),
            id=scan.workflow_id,
            task_queue=queue_name(tenant_id),
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            request_eager_start=True,  # where we poll the queue already, the answer brings the first task along
            rpc_timeout=_RPC_LASTS,
        )
    except WorkflowAlreadyStartedError:
        log.debug("the workflow of scan %s is over already", scan.scan_id)


async def _cancel(client: Client, tenant_id: UUID, workflow_id: str) -> None:
    with tenant_scope(tenant_id):
        try:
            await client.get_workflow_handle(workflow_id).cancel(rpc_timeout=_RPC_LASTS)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
