"""Recorded histories of releases replay with the workflows of today.

`python -m tests.workflows.test_histories ADDRESS` records those of today, on the Temporal at ADDRESS.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowInterceptorClassInput
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from app.scanners.probes import Artefact, Fault
from app.tenancy.context import tenant_scope
from app.workflows.client import connect_to
from app.workflows.codec import data_converter
from app.workflows.interceptors import TenantInterceptor, WorkflowInbound
from app.workflows.names import queue_name
from app.workflows.scans import ScanOrder, ScanOutcome, ScanWorkflow
from tests.peers.keyrings import MemoryKeyRing

HISTORIES = Path(__file__).parent / "histories"
TENANT = UUID("01900000-0000-7000-8000-000000000001")


class _Replayed(WorkflowInbound):
    """Replays come from a queue of their own; all else is demanded of them."""

    def queue(self) -> str:
        return queue_name(TENANT)


class _Replaying(TenantInterceptor):
    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInbound]:
        return _Replayed


@workflow.defn(name="ScanWorkflow", sandboxed=False)
class ChangedScanWorkflow:
    """A scan that claims nothing."""

    @workflow.run
    async def run(self, order: ScanOrder) -> ScanOutcome:
        return ScanOutcome("skipped")


def replayer(*workflows: type, keys: MemoryKeyRing | None = None) -> Replayer:
    return Replayer(
        workflows=workflows,
        data_converter=data_converter(keys or MemoryKeyRing()),
        interceptors=[_Replaying()],
        workflow_runner=SandboxedWorkflowRunner(),
    )


def recorded(path: Path) -> WorkflowHistory:
    content = json.loads(path.read_text())
    return WorkflowHistory.from_json(content["workflow_id"], content["history"])


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_history_replays(path: Path) -> None:
    """A run of an earlier release goes the same way through today's workflow."""
    asyncio.run(replayer(ScanWorkflow).replay_workflow(recorded(path)))


def test_there_are_histories_of_each_way_a_scan_can_go() -> None:
    """Done, failed by its artefact, failed by its probe, skipped and cancelled are all recorded."""
    ways = {path.stem.partition("-")[2] for path in HISTORIES.glob("*.json")}
    assert {"done", "hostile", "broken", "skipped", "cancelled"} <= ways


def test_a_workflow_that_changed_its_ways_is_noticed() -> None:
    """The replay can fail: a workflow that completes without claiming does not fit a recorded history."""

    path = next(HISTORIES.glob("*-done.json"))
    with pytest.raises(workflow.NondeterminismError):
        asyncio.run(replayer(ChangedScanWorkflow).replay_workflow(recorded(path)))


def test_a_history_does_not_open_with_another_key() -> None:
    """A recorded history is encrypted like any."""
    path = next(HISTORIES.glob("*-done.json"))
    assert "document" not in path.read_text()
    with pytest.raises(Exception, match=r".*"):
        asyncio.run(replayer(ScanWorkflow, keys=MemoryKeyRing(b"another")).replay_workflow(recorded(path)))


async def record(address: str, release: str) -> None:
    """Write one history of each way a scan can go."""
    from tests.workflows.conftest import Workshop

    keys = MemoryKeyRing()
    shop: Any = Workshop(address, await connect_to(address, "default", keys), keys)
    fault = Fault("pii.email", "An address", "low", "o***@example.com", "Remove it.", "line 1")
    async with shop.scanning().worker_of(TENANT):
        with tenant_scope(TENANT):
            for way in ("done", "hostile", "broken", "skipped", "cancelled"):
                row = shop.records.add(TENANT)
                shop.probe.artefact = Artefact("text", [fault], failure="no answer" if way == "hostile" else None)
                shop.probe.problem = RuntimeError("broken") if way == "broken" else None
                if way == "skipped":
                    shop.records.cancel(row.scan_id)
                if way == "cancelled":
                    shop.probe.released.clear()
                handle = await shop.begin(row)
                if way == "cancelled":
                    await asyncio.sleep(1)
                    await handle.cancel()
                await asyncio.wait([asyncio.ensure_future(handle.result())])
                history = json.loads((await handle.fetch_history()).to_json())
                content = {"workflow_id": handle.id, "history": history}
                (HISTORIES / f"{release}-{way}.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    HISTORIES.mkdir(exist_ok=True)
    asyncio.run(record(sys.argv[1], "0.2"))
