"""The course of one scan on a real Temporal, with rows in memory."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError

from app.local import ports
from app.local.temporal import TemporalServer
from app.scanners.probes import Artefact, Fault
from app.tenancy.context import tenant_scope
from app.workflows.client import connect_to
from tests.peers.patience import until

pytestmark = pytest.mark.temporal

Run = Callable[[Callable[[Any], Any]], None]


async def ends_cancelled(handle: Any) -> None:
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 90)
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED


def test_a_scan_is_claimed_probed_and_completed(with_temporal: Run, tenant_id: UUID) -> None:
    """One start leads to one claim, one probe, its step noted, and one completion."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                outcome = await (await shop.begin(row)).result()
        assert (outcome.status, row.status, row.steps) == ("done", "done", ["Reading"])
        assert (shop.probe.runs, shop.records.completions) == (1, 1)

    with_temporal(scenario)


def test_a_start_delivered_twice_runs_once(with_temporal: Run, tenant_id: UUID) -> None:
    """Starts at once, again while it runs and again after its end are one run."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        shop.probe.released.clear()
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                handle, *_ = await asyncio.gather(*(shop.begin(row) for _ in range(5)))
                await until(shop.probe.started.is_set)
                await shop.begin(row)
                shop.probe.released.set()
                await handle.result()
                await shop.begin(row)
                await asyncio.sleep(0.5)
        assert (shop.probe.runs, shop.records.completions) == (1, 1)

    with_temporal(scenario)


def test_a_cancel_before_the_claim_leaves_nothing_to_do(with_temporal: Run, tenant_id: UUID) -> None:
    """A scan that was cancelled before its workflow began is skipped."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        shop.records.cancel(row.scan_id)
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                outcome = await (await shop.begin(row)).result()
        assert (outcome.status, row.status, shop.probe.runs) == ("skipped", "cancelled", 0)

    with_temporal(scenario)


def test_a_cancel_before_any_worker_polls_ends_the_workflow(with_temporal: Run, tenant_id: UUID) -> None:
    """A workflow that was cancelled in the queue runs no probe."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        with tenant_scope(tenant_id):
            handle = await shop.begin(row)
            shop.records.cancel(row.scan_id)
            await handle.cancel()
            async with shop.scanning().worker_of(tenant_id):
                await ends_cancelled(handle)
        assert (row.status, shop.probe.runs) == ("cancelled", 0)

    with_temporal(scenario)


def test_a_cancel_while_the_database_is_away_ends_the_workflow(with_temporal: Run, tenant_id: UUID) -> None:
    """A claim that is being retried does not hold up a cancel."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        shop.records.down = True
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                handle = await shop.begin(row)
                await asyncio.sleep(0.5)
                await handle.cancel()
                await ends_cancelled(handle)
        assert shop.probe.runs == 0

    with_temporal(scenario)


def test_a_cancel_stops_the_probe_promptly(with_temporal: Run, tenant_id: UUID) -> None:
    """A running probe is told to stop within 5 s of the cancel, and nothing is recorded of it."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        shop.probe.released.clear()
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                handle = await shop.begin(row)
                await until(shop.probe.started.is_set)
                shop.records.cancel(row.scan_id)
                cancelled_at = time.monotonic()
                await handle.cancel()
                await ends_cancelled(handle)
                await until(lambda: shop.probe.stopped_at is not None)
        assert shop.probe.stopped_at - cancelled_at < 5.0
        assert (row.status, row.reason, row.artefact) == ("cancelled", None, None)

    with_temporal(scenario)


def test_a_cancel_while_the_result_is_recorded_changes_nothing(with_temporal: Run, tenant_id: UUID) -> None:
    """When the cancel came before the record, the row stays cancelled; the workflow ends."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        shop.probe.released.clear()
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                handle = await shop.begin(row)
                await until(shop.probe.started.is_set)
                shop.records.down = True
                shop.probe.released.set()
                await asyncio.sleep(1.0)
                shop.records.cancel(row.scan_id)
                await handle.cancel()
                shop.records.down = False
                await ends_cancelled(handle)
                await asyncio.sleep(0.5)
        assert (row.status, shop.records.completions) == ("cancelled", 0)

    with_temporal(scenario)


def test_a_database_that_comes_back_gets_the_result(with_temporal: Run, tenant_id: UUID) -> None:
    """The record of a finished probe waits for the database; the probe is not repeated."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        shop.probe.released.clear()
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                handle = await shop.begin(row)
                await until(shop.probe.started.is_set)
                shop.records.down = True
                shop.probe.released.set()
                await asyncio.sleep(3.0)
                shop.records.down = False
                assert (await handle.result()).status == "done"
        assert (row.status, shop.probe.runs, shop.records.completions) == ("done", 1, 1)

    with_temporal(scenario)


def test_a_probe_that_breaks_is_tried_three_times_and_then_the_scan_fails(
    with_temporal: Run, tenant_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    """Three attempts, then a failed scan; neither its reason nor a log holds the error's words."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        shop.probe.problem = RuntimeError("needle")
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                outcome = await (await shop.begin(row)).result()
        assert (outcome.status, row.status, shop.probe.runs) == ("failed", "failed", 3)
        assert row.reason == "The probe failed."
        assert "a probe failed: RuntimeError" in caplog.text
        assert "needle" not in caplog.text

    with_temporal(scenario)


def test_a_hostile_target_is_a_failed_scan_and_no_retry(with_temporal: Run, tenant_id: UUID) -> None:
    """An artefact that says why nothing could be examined fails the scan with those words, after one probe."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        shop.probe.artefact = Artefact("text", failure="The answer did not end.")
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                await (await shop.begin(row)).result()
        assert (row.status, row.reason, shop.probe.runs) == ("failed", "The answer did not end.", 1)

    with_temporal(scenario)


def test_a_result_that_cannot_be_recorded_fails_the_scan(
    with_temporal: Run, tenant_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake of ours in recording ends the scan as failed, not open for ever, and logs none of the error's words."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)

        def broken(scan_id: UUID, artefact: Artefact) -> None:
            raise ValueError("needle")

        shop.records.complete = broken
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                await asyncio.wait_for((await shop.begin(row)).result(), 90)
        assert (row.status, row.reason) == ("failed", "The result could not be recorded.")
        assert "needle" not in caplog.text

    with_temporal(scenario)


def test_an_artefact_too_large_for_temporal_is_cut_and_marked(with_temporal: Run, tenant_id: UUID) -> None:
    """Of several megabytes of faults the worst are kept, and the scan is marked as partial."""

    async def scenario(shop: Any) -> None:
        row = shop.records.add(tenant_id)
        faults = [Fault(f"r{n}", "t", "low", "e" * 1000, "r", "l") for n in range(5000)]
        shop.probe.artefact = Artefact("text", [*faults, Fault("worst", "t", "critical", "e", "r", "l")])
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                await (await shop.begin(row)).result()
        assert row.artefact.partial
        assert row.artefact.faults[0].rule == "worst"
        assert 100 < len(row.artefact.faults) < 1000

    with_temporal(scenario)


def test_nothing_of_a_scan_is_readable_in_temporal_s_file(tenant_id: UUID, tmp_path: Path) -> None:
    """Ticket, artefact and failure leave no plain word in Temporal's database; an unencrypted control does."""
    from tests.peers.keyrings import MemoryKeyRing
    from tests.workflows.conftest import Workshop

    needle, control = "n33dle-in-the-ticket", "c0ntrol-word"
    server = TemporalServer(ports.free_port(), ports.free_port(), tmp_path / "temporal.db")
    server.spawn(tmp_path / "temporal.log")

    async def scenario() -> None:
        keys = MemoryKeyRing()
        shop = Workshop(server.address, await connect_to(server.address, "default", keys), keys)
        rows = [shop.records.add(tenant_id, document=needle) for _ in range(2)]
        fault = Fault("rule", needle, "low", needle, needle, needle)
        async with shop.scanning().worker_of(tenant_id):
            with tenant_scope(tenant_id):
                shop.probe.artefact = Artefact("text", [fault], notes=[needle])
                await (await shop.begin(rows[0])).result()
                shop.probe.problem = RuntimeError(needle)
                await (await shop.begin(rows[1])).result()
        assert [row.status for row in rows] == ["done", "failed"]
        plain = await Client.connect(server.address)
        await plain.start_workflow("Unencrypted", control, id="control", task_queue="control")

    try:
        server.wait()
        asyncio.run(scenario())
    finally:
        server.stop()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("temporal.db*"))
    assert control.encode() in kept
    assert needle.encode() not in kept
    assert needle.encode("utf-16-le") not in kept
