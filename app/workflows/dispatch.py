"""Carries out what transactions asked for: starts the workflows of admitted scans, cancels those of cancelled ones.

Both effects may be asked for any number of times: a start delivered twice runs once.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from app.outbox.beginnings import Beginnings
from app.outbox.relay import Delivery, Postponed
from app.tenancy.context import tenant_scope
from app.workflows.names import queue_name
from app.workflows.scans import ScanOrder, ScanWorkflow

log = logging.getLogger(__name__)

_RPC_LASTS = timedelta(seconds=5)
_EFFECT_SECONDS = 12.0
_REMEMBERED = 10_000

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


Admission = Callable[[UUID, int | None], Sequence[Admitted]]
"""Carries the effect's admission out as the tenant in the context, of so many scans at most and asking for another
dispatch for the rest; the scans it gives are admitted, and committed."""


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
        beginnings: Beginnings | None = None,
    ) -> None:
        self._loop, self._client, self._admission, self._ensure = loop, client, admission, ensure
        self._beginnings = beginnings or Beginnings()
        self._lock = threading.Lock()
        self._started: dict[str, None] = {}

    def dispatch(self, delivery: Delivery) -> None:
        """Start the workflow of every scan that the tenant's plan leaves room for.

        Admission is committed first: a start without it would run beyond the plan. What is lost between the two is
        started by the effect's next delivery, or by the reconciler. The tenant's worker begins to poll while the server
        is asked, so that the first activity waits for neither.
        """
        tenant_id, client = delivery.tenant_id, self._client()
        with tenant_scope(tenant_id):
            found = self._admission(delivery.id, 1 if self._beginnings.one_by_one(tenant_id) else None)
            admitted = [scan for scan in found if scan.workflow_id not in self._started]
        if admitted:
            self._ensure(tenant_id)
            self._carry_out(_start_all(client, tenant_id, admitted))
            self._remember(admitted)
        else:
            self._beginnings.begun(tenant_id, 0)

    def _remember(self, started: Sequence[Admitted]) -> None:
        """Spare the server starts that change nothing, of scans that have not begun when the next one is admitted."""
        with self._lock:
            self._started.update(dict.fromkeys(scan.workflow_id for scan in started))
            for workflow_id in list(self._started)[:-_REMEMBERED]:
                del self._started[workflow_id]

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
