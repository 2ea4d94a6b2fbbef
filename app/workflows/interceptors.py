"""Carries the tenant through Temporal in a header, and refuses work that has none or another's."""

from collections.abc import Mapping
from typing import Any, NoReturn
from uuid import UUID

import temporalio.client as clients
import temporalio.worker as workers
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter
from temporalio.exceptions import ApplicationError

from app.core.ids import parse_id
from app.tenancy.context import require_tenant, tenant_scope
from app.workflows.names import tenant_of_queue, tenant_of_workflow

HEADER = "sentinel-tenant"
Headers = Mapping[str, Payload]


class TenantRefused(ApplicationError):
    """Work without a tenant, or with another's than its queue and workflow; trying again does not help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, type="TenantRefused", non_retryable=True)


def _with_tenant(headers: Headers, tenant_id: UUID) -> Headers:
    return {**headers, HEADER: PayloadConverter.default.to_payload(str(tenant_id))}


def _demand_tenant(headers: Headers, queue: str, identifier: str | None) -> UUID:
    payload = headers.get(HEADER)
    if payload is None:
        raise TenantRefused("work without a tenant")
    try:
        tenant_id = parse_id(PayloadConverter.default.from_payload(payload, str))
    except Exception:
        raise TenantRefused("work with an unreadable tenant") from None
    if tenant_id is None:
        raise TenantRefused("work with an unreadable tenant")
    if tenant_id != tenant_of_queue(queue):
        raise TenantRefused("work of another tenant than its queue's")
    if tenant_id != tenant_of_workflow(identifier):
        raise TenantRefused("work of another tenant than its workflow's")
    return tenant_id


class TenantInterceptor(clients.Interceptor, workers.Interceptor):
    """Sets the header in clients and workflows; demands it of workflows and activities, which then run in its scope."""

    def intercept_client(self, next: clients.OutboundInterceptor) -> clients.OutboundInterceptor:
        return _ClientOutbound(next)

    def workflow_interceptor_class(
        self,
        input: workers.WorkflowInterceptorClassInput,  # noqa: ARG002
    ) -> type[workers.WorkflowInboundInterceptor]:
        return WorkflowInbound

    def intercept_activity(self, next: workers.ActivityInboundInterceptor) -> workers.ActivityInboundInterceptor:
        return _ActivityInbound(next)


class _ClientOutbound(clients.OutboundInterceptor):
    """The client acts for the tenant of its context, and only on that tenant's workflows."""

    async def start_workflow(self, input: clients.StartWorkflowInput) -> clients.WorkflowHandle[Any, Any]:
        tenant_id = _own(input.id)
        if tenant_of_queue(input.task_queue) != tenant_id:
            raise PermissionError("the task queue is not this tenant's")
        input.headers = _with_tenant(input.headers, tenant_id)
        return await super().start_workflow(input)

    async def signal_workflow(self, input: clients.SignalWorkflowInput) -> None:
        input.headers = _with_tenant(input.headers, _own(input.id))
        await super().signal_workflow(input)

    async def query_workflow(self, input: clients.QueryWorkflowInput) -> Any:
        input.headers = _with_tenant(input.headers, _own(input.id))
        return await super().query_workflow(input)

    async def start_workflow_update(self, input: clients.StartWorkflowUpdateInput) -> clients.WorkflowUpdateHandle[Any]:
        input.headers = _with_tenant(input.headers, _own(input.id))
        return await super().start_workflow_update(input)

    async def start_update_with_start_workflow(
        self,
        input: clients.StartWorkflowUpdateWithStartInput,  # noqa: ARG002
    ) -> clients.WorkflowUpdateHandle[Any]:
        raise PermissionError("starting with an update is not used here")

    async def cancel_workflow(self, input: clients.CancelWorkflowInput) -> None:
        _own(input.id)
        await super().cancel_workflow(input)

    async def terminate_workflow(self, input: clients.TerminateWorkflowInput) -> None:
        _own(input.id)
        await super().terminate_workflow(input)

    async def describe_workflow(self, input: clients.DescribeWorkflowInput) -> clients.WorkflowExecutionDescription:
        _own(input.id)
        return await super().describe_workflow(input)

    def fetch_workflow_history_events(
        self, input: clients.FetchWorkflowHistoryEventsInput
    ) -> clients.WorkflowHistoryEventAsyncIterator:
        _own(input.id)
        return super().fetch_workflow_history_events(input)

    async def start_activity(
        self,
        input: clients.StartActivityInput,  # noqa: ARG002
    ) -> clients.ActivityHandle[Any]:
        raise PermissionError("an activity without a workflow is not used here")

    async def create_schedule(
        self,
        input: clients.CreateScheduleInput,  # noqa: ARG002
    ) -> clients.ScheduleHandle:
        raise PermissionError("schedules are rows with a due time, not Temporal's")


def _own(identifier: str) -> UUID:
    tenant_id = require_tenant()
    if tenant_of_workflow(identifier) != tenant_id:
        raise PermissionError("the workflow is not this tenant's")
    return tenant_id


class WorkflowInbound(workers.WorkflowInboundInterceptor):
    """Demands the tenant of whatever reaches a workflow."""

    def init(self, outbound: workers.WorkflowOutboundInterceptor) -> None:
        super().init(_WorkflowOutbound(outbound))

    def queue(self) -> str:
        """Return the queue that the workflow came from."""
        return workflow.info().task_queue

    def _demand(self, headers: Headers) -> None:
        _demand_tenant(headers, self.queue(), workflow.info().workflow_id)

    async def execute_workflow(self, input: workers.ExecuteWorkflowInput) -> Any:
        self._demand(input.headers)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: workers.HandleSignalInput) -> None:
        self._demand(input.headers)
        await super().handle_signal(input)

    async def handle_query(self, input: workers.HandleQueryInput) -> Any:
        self._demand(input.headers)
        return await super().handle_query(input)

    def handle_update_validator(self, input: workers.HandleUpdateInput) -> None:
        self._demand(input.headers)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: workers.HandleUpdateInput) -> Any:
        self._demand(input.headers)
        return await super().handle_update_handler(input)


def _tenant_of_this_workflow(queue: str | None = None, identifier: str | None = None) -> UUID:
    """Return the running workflow's tenant. Raises TenantRefused where it reaches for another's queue or workflow."""
    info = workflow.info()
    tenant_id = tenant_of_workflow(info.workflow_id)
    if tenant_id is None:
        raise TenantRefused("work without a tenant")
    if queue is not None and tenant_of_queue(queue) != tenant_id:
        raise TenantRefused("work for another tenant's queue")
    if identifier is not None and tenant_of_workflow(identifier) != tenant_id:
        raise TenantRefused("work for another tenant's workflow")
    return tenant_id


class _WorkflowOutbound(workers.WorkflowOutboundInterceptor):
    def start_activity(self, input: workers.StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = _with_tenant(input.headers, _tenant_of_this_workflow(input.task_queue))
        return super().start_activity(input)

    def start_local_activity(self, input: workers.StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = _with_tenant(input.headers, _tenant_of_this_workflow())
        return super().start_local_activity(input)

    async def start_child_workflow(
        self, input: workers.StartChildWorkflowInput
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        input.headers = _with_tenant(input.headers, _tenant_of_this_workflow(input.task_queue, input.id))
        return await super().start_child_workflow(input)

    async def signal_child_workflow(self, input: workers.SignalChildWorkflowInput) -> None:
        input.headers = _with_tenant(input.headers, _tenant_of_this_workflow(None, input.child_workflow_id))
        await super().signal_child_workflow(input)

    async def signal_external_workflow(self, input: workers.SignalExternalWorkflowInput) -> None:
        input.headers = _with_tenant(input.headers, _tenant_of_this_workflow(None, input.workflow_id))
        await super().signal_external_workflow(input)

    def continue_as_new(self, input: workers.ContinueAsNewInput) -> NoReturn:
        input.headers = _with_tenant(input.headers, _tenant_of_this_workflow(input.task_queue))
        super().continue_as_new(input)


class _ActivityInbound(workers.ActivityInboundInterceptor):
    async def execute_activity(self, input: workers.ExecuteActivityInput) -> Any:
        info = activity.info()
        tenant_id = _demand_tenant(input.headers, info.task_queue, info.workflow_id)
        with tenant_scope(tenant_id):
            return await super().execute_activity(input)
