"""The course of one scan: claimed, probed, recorded. Deterministic; its activities stand in activities/scans.py."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, TimeoutError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from app.scanners.probes import Artefact, Ticket

# A database that is away for an hour delays a record by an hour; it does not lose it.
_RECORD_RETRIES = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=5)
)
_RECORD_LASTS = timedelta(seconds=15)
# Less than a workflow task lasts.
_LOCAL_LASTS = timedelta(seconds=8)
_ONCE = RetryPolicy(maximum_attempts=1)

# A probe repeats when its worker dies; what a hostile target does to it ends as an artefact and is not repeated.
_PROBE_RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=5), maximum_attempts=3
)
_PROBE_SILENCE = timedelta(seconds=10)
# Beyond the ticket's own seconds: the wait for a place among the probes of a worker, whose heartbeats go on meanwhile.
_PROBE_MARGIN_SECONDS = 300.0


@dataclass(frozen=True)
class ScanOrder:
    """Which scan to carry out; all else is read when it is claimed."""

    scan_id: str


@dataclass(frozen=True)
class ScanOutcome:
    """How the workflow ended: done, failed, or skipped (there was nothing to do any more)."""

    status: str


@dataclass(frozen=True)
class Completion:
    """What a scan brought back."""

    scan_id: str
    artefact: Artefact


@dataclass(frozen=True)
class Failure:
    """Why a scan brought nothing back, in words for its reader."""

    scan_id: str
    reason: str


@workflow.defn
class ScanWorkflow:
    """One scan. Cancelling it stops the probe and records nothing: the scan's row was cancelled first."""

    @workflow.run
    async def run(self, order: ScanOrder) -> ScanOutcome:
        ticket = await _claim(order)
        if ticket is None:
            return ScanOutcome("skipped")
        try:
            artefact = await _probe(ticket)
            if artefact.failure is None:
                await _complete(Completion(order.scan_id, artefact))
                return ScanOutcome("done")
            reason = artefact.failure
        except Exception as error:
            if is_cancelled_exception(error):
                raise
            reason = _reason(error)
        await _fail(Failure(order.scan_id, reason))
        return ScanOutcome("failed")


async def _claim(order: ScanOrder) -> Ticket | None:
    ticket: Ticket | None = await _record("claim_scan", order, cast(type, Ticket | None))
    return ticket


async def _probe(ticket: Ticket) -> Artefact:
    artefact: Artefact = await workflow.execute_activity(
        "probe",
        ticket,
        result_type=Artefact,
        start_to_close_timeout=timedelta(seconds=ticket.seconds + _PROBE_MARGIN_SECONDS),
        heartbeat_timeout=_PROBE_SILENCE,
        retry_policy=_PROBE_RETRIES,
    )
    return artefact


async def _complete(completion: Completion) -> None:
    await _record("complete_scan", completion)


async def _fail(failure: Failure) -> None:
    await _record("fail_scan", failure)


async def _record(name: str, given: ScanOrder | Completion | Failure, result_type: type | None = None) -> Any:
    """Have a record made within the workflow's own task, which asks nothing of the server.

    Where that fails, and in runs from before, by an activity that is tried until it succeeds: its attempts leave
    nothing in the history, however long they go on.
    """
    if workflow.patched("local-records"):
        try:
            return await workflow.execute_local_activity(
                name, given, result_type=result_type, start_to_close_timeout=_LOCAL_LASTS, retry_policy=_ONCE
            )
        except FailureError as error:  # of one in the workflow's task it is the cause itself
            if is_cancelled_exception(error):
                raise
    return await workflow.execute_activity(
        name, given, result_type=result_type, start_to_close_timeout=_RECORD_LASTS, retry_policy=_RECORD_RETRIES
    )


def _reason(error: Exception) -> str:
    """Return words for what went wrong; never those of the error, which may hold what a target sent."""
    if isinstance(error, ActivityError):
        if error.activity_type == "complete_scan":
            return "The result could not be recorded."
        if isinstance(error.cause, TimeoutError):
            return "The probe did not finish in time."
        if isinstance(error.cause, ApplicationError) and error.cause.type == "UnknownTool":
            return "There is no such tool here."
    return "The probe failed."
