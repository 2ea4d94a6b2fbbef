"""Work carries its tenant, or is refused."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.converter import PayloadConverter
from temporalio.exceptions import ApplicationError

from app.tenancy.context import current_tenant, tenant_scope
from app.workflows.codec import PayloadRefused, data_converter
from app.workflows.interceptors import HEADER, TenantInterceptor
from app.workflows.names import queue_name, workflow_id
from tests.peers.echoes import EchoWorkflow, WayfarerWorkflow
from tests.peers.scanrecords import MemoryScanRecords

pytestmark = pytest.mark.temporal

Run = Callable[[Callable[[Any], Any]], None]


def new_workflow_id(tenant_id: UUID) -> str:
    return workflow_id(tenant_id, uuid4(), uuid4())


def cause_of(error: pytest.ExceptionInfo[WorkflowFailureError]) -> str | None:
    """Return the type of the innermost failure."""
    cause: BaseException | None = error.value
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    assert isinstance(cause, ApplicationError)
    return cause.type


async def tampered(workshop: Any, headers: dict[str, str], queue: str, identifier: str) -> Any:
    """Start an echo as somebody would who can write to Temporal but not through our client."""
    from temporalio import client as clients

    class Forger(clients.Interceptor):
        def intercept_client(self, next: clients.OutboundInterceptor) -> clients.OutboundInterceptor:
            class Outbound(clients.OutboundInterceptor):
                async def start_workflow(self, input: clients.StartWorkflowInput) -> Any:
                    forged = {name: PayloadConverter.default.to_payload(text) for name, text in headers.items()}
                    return await super().start_workflow(replace(input, headers=forged))

            return Outbound(next)

    client = await Client.connect(
        workshop.address, data_converter=data_converter(workshop.keys), interceptors=[Forger()]
    )
    return await client.start_workflow(WayfarerWorkflow.run, queue, id=identifier, task_queue=queue)


def test_every_path_of_a_payload_works(with_temporal: Run, tenant_id: UUID) -> None:
    """Argument, signal, query, heartbeat details, failed and repeated activity, and result all open where they must."""

    async def scenario(workshop: Any) -> None:
        async with workshop.worker(tenant_id):
            with tenant_scope(tenant_id):
                identifier = new_workflow_id(tenant_id)
                handle = await workshop.client.start_workflow(
                    EchoWorkflow.run, "a", id=identifier, task_queue=queue_name(tenant_id), memo={"kept": "memo"}
                )
                await handle.signal(EchoWorkflow.tell, "b")
                assert await handle.result() == "ab"
                assert await handle.query(EchoWorkflow.told) == ["b"]
                described = await workshop.client.get_workflow_handle(identifier).describe()
                assert await described.memo() == {"kept": "memo"}

    with_temporal(scenario)


def test_a_failure_s_words_reach_the_client_and_only_it(with_temporal: Run, tenant_id: UUID) -> None:
    """A workflow's failure is readable through our client and encrypted in its history."""

    async def scenario(workshop: Any) -> None:
        async with workshop.worker(tenant_id):
            with tenant_scope(tenant_id):
                handle = await workshop.client.start_workflow(
                    EchoWorkflow.run, "needle", id=new_workflow_id(tenant_id), task_queue=queue_name(tenant_id)
                )
                await handle.signal(EchoWorkflow.tell, "fail")
                with pytest.raises(WorkflowFailureError) as error:
                    await handle.result()
                assert "needle" in str(error.value.cause)
                history = (await handle.fetch_history()).to_json()
                assert "needle" not in history
                assert "Encoded failure" in history

    with_temporal(scenario)


def test_a_job_carries_its_own_tenant(with_temporal: Run, tenant_id: UUID) -> None:
    """The worker has no tenant of its own, and the activity has the workflow's."""
    seen: list[UUID | None] = []

    class Watching(MemoryScanRecords):
        def claim(self, scan_id: UUID) -> None:
            seen.append(current_tenant())

    async def scenario(workshop: Any) -> None:
        from app.workflows.activities.scans import RecordActivities
        from app.workflows.scans import ScanOrder, ScanWorkflow

        duties = workshop.duties([ScanWorkflow], RecordActivities(Watching()).all())
        with tenant_scope(tenant_id):
            handle = await workshop.client.start_workflow(
                ScanWorkflow.run,
                ScanOrder(str(uuid4())),
                id=new_workflow_id(tenant_id),
                task_queue=queue_name(tenant_id),
            )
        assert current_tenant() is None
        async with duties.worker_of(tenant_id):
            with tenant_scope(tenant_id):
                outcome = await handle.result()
        assert outcome.status == "skipped"

    with_temporal(scenario)
    assert seen == [tenant_id]


def test_the_client_acts_for_no_tenant_but_its_context_s(with_temporal: Run, tenant_id: UUID) -> None:
    """Without a tenant, with another's workflow id or another's queue, the client refuses before it asks Temporal."""
    other = uuid4()

    async def scenario(workshop: Any) -> None:
        async def begin(identifier: str, queue: str) -> None:
            await workshop.client.start_workflow(EchoWorkflow.run, "x", id=identifier, task_queue=queue)

        with pytest.raises(PermissionError):
            await begin(new_workflow_id(tenant_id), queue_name(tenant_id))
        with tenant_scope(tenant_id):
            for identifier, queue in (
                (new_workflow_id(other), queue_name(tenant_id)),
                (new_workflow_id(tenant_id), queue_name(other)),
                (new_workflow_id(tenant_id), "anything"),
                ("anything", queue_name(tenant_id)),
            ):
                with pytest.raises(PermissionError):
                    await begin(identifier, queue)
            foreign = workshop.client.get_workflow_handle(new_workflow_id(other))
            for verb in (foreign.cancel, foreign.terminate, foreign.describe, foreign.result, foreign.fetch_history):
                with pytest.raises(PermissionError):
                    await verb()
            for verb in (lambda: foreign.signal("tell", "x"), lambda: foreign.query("told")):
                with pytest.raises(PermissionError):
                    await verb()

    with_temporal(scenario)


@pytest.mark.parametrize("headers", ["missing", "another's", "unreadable"])
def test_a_workflow_without_its_tenant_in_the_header_is_refused_for_good(
    with_temporal: Run, tenant_id: UUID, headers: str
) -> None:
    """A workflow whose header is missing, foreign or unreadable fails at once and is not tried again."""
    forged = {"missing": {}, "another's": {HEADER: str(uuid4())}, "unreadable": {HEADER: "?"}}[headers]

    async def scenario(workshop: Any) -> None:
        async with workshop.worker(tenant_id):
            handle = await tampered(workshop, forged, queue_name(tenant_id), new_workflow_id(tenant_id))
            with pytest.raises(WorkflowFailureError) as error:
                await asyncio.wait_for(handle.result(), 90)
            assert cause_of(error) == "TenantRefused"

    with_temporal(scenario)


def test_a_workflow_on_another_tenant_s_queue_is_refused(with_temporal: Run, tenant_id: UUID) -> None:
    """One tenant's workflow on the queue of another does not run, with either's header."""
    other = uuid4()

    async def scenario(workshop: Any) -> None:
        async with workshop.worker(tenant_id):
            for header in (tenant_id, other):
                handle = await tampered(workshop, {HEADER: str(header)}, queue_name(tenant_id), new_workflow_id(other))
                with pytest.raises(WorkflowFailureError) as error:
                    await asyncio.wait_for(handle.result(), 90)
                assert cause_of(error) == "TenantRefused"

    with_temporal(scenario)


def test_a_workflow_cannot_reach_another_tenant_s_queue(with_temporal: Run, tenant_id: UUID) -> None:
    """An activity that a workflow schedules on another tenant's queue is refused in the workflow itself."""

    async def scenario(workshop: Any) -> None:
        async with workshop.worker(tenant_id):
            with tenant_scope(tenant_id):
                handle = await workshop.client.start_workflow(
                    WayfarerWorkflow.run,
                    queue_name(uuid4()),
                    id=new_workflow_id(tenant_id),
                    task_queue=queue_name(tenant_id),
                )
                with pytest.raises(WorkflowFailureError) as error:
                    await asyncio.wait_for(handle.result(), 90)
            assert cause_of(error) == "TenantRefused"

    with_temporal(scenario)


def test_an_activity_demands_the_header_too(with_temporal: Run, tenant_id: UUID) -> None:
    """An activity scheduled by a worker that sets no header does not run on one that demands it."""

    async def scenario(workshop: Any) -> None:
        from temporalio.worker import Worker

        from tests.peers.echoes import echo

        bare = await Client.connect(workshop.address, data_converter=data_converter(workshop.keys))
        queue, identifier = queue_name(tenant_id), new_workflow_id(tenant_id)
        async with (
            Worker(bare, task_queue=queue, workflows=[WayfarerWorkflow]),
            Worker(workshop.client, task_queue=queue, activities=[echo]),
        ):
            handle = await bare.start_workflow(WayfarerWorkflow.run, queue, id=identifier, task_queue=queue)
            with pytest.raises(WorkflowFailureError) as error:
                await asyncio.wait_for(handle.result(), 90)
            assert cause_of(error) == "TenantRefused"

    with_temporal(scenario)


def test_a_payload_copied_into_another_workflow_fails_it_for_good(with_temporal: Run, tenant_id: UUID) -> None:
    """Input taken from another workflow of the same tenant ends the workflow that was given it."""

    async def scenario(workshop: Any) -> None:
        bare = await Client.connect(workshop.address, interceptors=[TenantInterceptor()])
        codec = data_converter(workshop.keys).payload_codec
        from temporalio.api.common.v1 import Payload
        from temporalio.common import RawValue
        from temporalio.converter import WorkflowSerializationContext

        assert codec is not None
        foreign = codec.with_context(WorkflowSerializationContext("default", new_workflow_id(tenant_id)))
        [sealed] = await foreign.encode([Payload(metadata={"encoding": b"json/plain"}, data=b'"x"')])
        async with workshop.worker(tenant_id):
            with tenant_scope(tenant_id):
                handle = await bare.start_workflow(
                    "EchoWorkflow", RawValue(sealed), id=new_workflow_id(tenant_id), task_queue=queue_name(tenant_id)
                )
                with pytest.raises(WorkflowFailureError):
                    await asyncio.wait_for(handle.result(), 90)
                same = workshop.client.get_workflow_handle(handle.id)
                with pytest.raises(WorkflowFailureError) as error:
                    await same.result()
                assert cause_of(error) == PayloadRefused("").type

    with_temporal(scenario)
