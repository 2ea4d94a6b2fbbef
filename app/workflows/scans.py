"""The course of one scan: claimed, probed, recorded. Deterministic; its activities stand in activities/scans.py."""

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from app.scanners.probes import Artefact, Ticket

# A database that is away for an hour delays a record by an hour; it does not lose it.
_RECORD_RETRIES = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=5)
)
_RECORD_LASTS = timedelta(seconds=15)

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
    ticket: Ticket | None = await workflow.execute_activity(
        "claim_scan",
        order,
        result_type=cast(type, Ticket | None),
        start_to_close_timeout=_RECORD_LASTS,
        retry_policy=_RECORD_RETRIES,
    )
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
    await workflow.execute_activity(
        "complete_scan", completion, start_to_close_timeout=_RECORD_LASTS, retry_policy=_RECORD_RETRIES
    )


async def _fail(failure: Failure) -> None:
    await workflow.execute_activity(
        "fail_scan", failure, start_to_close_timeout=_RECORD_LASTS, retry_policy=_RECORD_RETRIES
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
