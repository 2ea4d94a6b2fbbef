"""The worker process: the outbox relay and the tenants' Temporal workers, put together. `python -m app.worker`."""

import asyncio
import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from temporalio.client import Client
from temporalio.worker import Worker as TenantWorker

from app.core.logs import configure_logs
from app.core.settings import Settings, settings
from app.db.opening import TooManyRights, open_units, refuse_privileged
from app.db.units import Units
from app.graph.gateway import open_graph
from app.outbox.beginnings import Beginnings
from app.outbox.mailers import FolderTransport, Mailer, SmtpTransport, Transport
from app.outbox.relay import Delivery, Postponed, Relay
from app.scanners import sandbox
from app.scanners.catalogue import TOOLS
from app.scanners.probes import Artefact, Ticket
from app.services import mails
from app.services.archivists import Archivist
from app.services.bookkeepers import Bookkeeper
from app.services.censuses import Census
from app.services.effects import (
    domain_checks,
    export_signatures,
    graph_scans,
    plan_notices,
    proof_checks,
    quota_warnings,
    tenant_stops,
)
from app.services.erasers import Eraser
from app.services.failed_sign_ins import FailureLog
from app.services.loops import Loop
from app.services.plans import load_plans
from app.services.sealers import Sealer
from app.services.stewards import Steward
from app.services.sweepers import Sweeper
from app.workflows.activities.scans import ProbeActivities, RecordActivities
from app.workflows.client import connect
from app.workflows.dispatch import Dispatcher
from app.workflows.erasures import TemporalExecutions
from app.workflows.hosts import Duties, TenantWorkers
from app.workflows.reconciler import Reconciler
from app.workflows.records import UnitRecords
from app.workflows.scans import ScanWorkflow
from app.workflows.shares import Shares

log = structlog.get_logger("sentinel.worker")

_STOP_SECONDS = 8.0
# So long the queues are still polled after we asked to stop; a probe that ends earlier would come back to us.
_LAST_POLLS_SECONDS = 0.2
_AGAIN_SECONDS = 1.0
_THREADS = 16


class WorkerProcess:
    """All that one worker process does, from `run` until `stop`."""

    def __init__(self, given: Settings) -> None:
        self._settings = given
        url = (given.database_worker_url or given.database_url).get_secret_value()
        direct = given.database_direct_url.get_secret_value() if given.database_direct_url else url
        self.units: Units = open_units(given, url, on_effects=self._wake, application="sentinel worker")
        self._shares = Shares()
        self._beginnings = Beginnings(self._priority_of)
        self.records = UnitRecords(self.units, self._shares)
        self.graph = open_graph(
            given.neo4j_uri, given.neo4j_user, given.neo4j_password.get_secret_value(), given.neo4j_database
        )
        self.probes = ProbeActivities(_run_probe, on_step=self.records.note_step, priority=self._priority_of)
        self._client: Client | None = None
        self._duties: Duties | None = None
        self._hosts = TenantWorkers(
            self._worker_of, self.records.open_tenants, cap=given.worker_poll_cap, priority=self._priority_of
        )
        self._relay: Relay | None = None
        self._mailer: Mailer | None = None
        self._threads: tuple[Loop, ...] = (
            Sealer(self.units, given.master),
            Archivist(self.units, given.master),
            Sweeper(self.units),
            Steward(self.units),
            Bookkeeper(self.units),
            Census(self.units),
            FailureLog(self.units),
        )
        self._direct = direct
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask the process to leave; belongs to the event loop."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`. Raises TooManyRights where the database login could get round row-level security."""
        await self._until_stopped(asyncio.create_task(self._refuse_privileged()))
        if self._stopping.is_set():
            return
        self._relay = self._make_relay()
        self._relay.start()
        self._mailer = self._make_mailer()
        if self._mailer is not None:
            self._mailer.start()
        self._threads = (*self._threads, self._make_eraser())
        for thread in self._threads:
            thread.start()
        log.info("worker.relays")
        threading.Thread(target=functools.partial(sandbox.warm, *TOOLS), name="warm", daemon=True).start()
        hosting = asyncio.create_task(self._host())
        try:
            await self._until_stopped(hosting)
        finally:
            await self._wind_up(hosting)

    async def _until_stopped(self, task: "asyncio.Task[None]") -> None:
        stopped = asyncio.create_task(self._stopping.wait())
        done, _ = await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if task in done:
            task.result()

    async def _refuse_privileged(self) -> None:
        while True:
            try:
                return await asyncio.to_thread(refuse_privileged, self.units.engines.control)
            except OperationalError:
                log.warning("worker.database_away")
                await asyncio.sleep(_AGAIN_SECONDS)

    def _make_relay(self) -> Relay:
        dispatcher = Dispatcher(
            asyncio.get_running_loop(), self._connected, self.records.admit, self._hosts.ensure, self._beginnings
        )
        handlers: dict[str, Callable[[Delivery], None]] = {
            "scan.dispatch": dispatcher.dispatch,
            "scan.cancel": dispatcher.cancel,
            "graph.scan": graph_scans(self.units, self.graph),
            "domain.check": domain_checks(self.units),
            "export.sign": export_signatures(self.units, self._settings.master),
            "plan.notice": plan_notices(self.units),
            "proof.check": proof_checks(self.units),
            "quota.warning": quota_warnings(self.units),
            "tenant.stop": tenant_stops(self.units),
        }
        return Relay(
            self.units,
            handlers,
            listen_url=self._direct,
            poll_seconds=self._settings.relay_poll_seconds,
            weights={str(name): plan.queue.priority for name, plan in load_plans().plans.items()},
            beginnings=self._beginnings,
        )

    def _make_mailer(self) -> Mailer | None:
        transport = _transport(self._settings)
        if transport is None:
            log.warning("worker.no_mail", reason="SMTP_URL is not set")
            return None
        compose = functools.partial(mails.compose, settings=self._settings)
        return Mailer(self.units, transport, compose, poll_seconds=self._settings.relay_poll_seconds)

    def _make_eraser(self) -> Eraser:
        executions = TemporalExecutions(asyncio.get_running_loop(), lambda: self._client)
        return Eraser(self.units, self._settings.master, self.graph, executions)

    def _wake(self) -> None:
        if self._relay is not None:
            self._relay.wake()

    def _priority_of(self, tenant_id: UUID) -> int:
        return self._shares.of(tenant_id).priority

    def _connected(self) -> Client:
        """Return the client. Raises Postponed until Temporal has answered for the first time."""
        if self._client is None:
            raise Postponed
        return self._client

    def _worker_of(self, tenant_id: UUID) -> TenantWorker:
        if self._duties is None:
            raise RuntimeError("no connection to Temporal yet")
        return self._duties.worker_of(tenant_id)

    async def _host(self) -> None:
        client = await self._connect()
        self._duties = Duties(
            client,
            [ScanWorkflow],
            [*RecordActivities(self.records, self._beginnings).all(), *self.probes.all()],
            ThreadPoolExecutor(_THREADS, thread_name_prefix="workflow"),
            ThreadPoolExecutor(_THREADS, thread_name_prefix="record"),
            self._shares,
        )
        self._client = client
        log.info("worker.ready")
        reconciler = Reconciler(client, self.records, self._hosts.ensure)
        await asyncio.gather(self._hosts.run(), reconciler.run())

    async def _connect(self) -> Client:
        while True:
            try:
                return await connect(self._settings, self.units.keys)
            except RuntimeError:
                log.warning("worker.temporal_away", address=self._settings.temporal_address)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _wind_up(self, hosting: "asyncio.Task[None]") -> None:
        """Take nothing more, finish what is quick, hand back the rest: others, or the next start, take it up."""
        hosting.cancel()
        relaying = asyncio.create_task(asyncio.to_thread(self._relay.stop)) if self._relay else None
        mailing = asyncio.create_task(asyncio.to_thread(self._mailer.stop)) if self._mailer else None
        await asyncio.sleep(_LAST_POLLS_SECONDS)
        self.probes.stop_all()
        stopping = [asyncio.create_task(asyncio.to_thread(thread.stop)) for thread in self._threads]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.wait({task for task in (hosting, *stopping, relaying, mailing) if task is not None})
        if self.graph is not None:
            self.graph.close()
        self.units.engines.dispose()


def _transport(given: Settings) -> Transport | None:
    if given.smtp_url is not None:
        return SmtpTransport(given.smtp_url.get_secret_value())
    return FolderTransport(given.local_mail_dir) if given.local_mail_dir is not None else None


def _run_probe(ticket: Ticket, stop: threading.Event, tell: Callable[[str], None]) -> Artefact:
    return sandbox.run_probe(ticket, on_tick=tell, cancelled=stop)


async def _serve(given: Settings) -> int:
    worker = WorkerProcess(given)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    try:
        await worker.run()
    except TooManyRights as error:
        log.error("worker.refused", reason=str(error))
        return 3
    log.info("worker.stopped")
    return 0


def main() -> None:
    """Run until SIGTERM, then leave with a status of our own: 0, 1 after a failure, 3 for a login with too many rights.

    The status is given by hand: temporalio can abort an interpreter that ends by itself.
    """
    status = 1
    try:
        given = settings()
        configure_logs(given.log_level)
        # Not asyncio.run: it would wait for threads that may hang on a server which is gone.
        status = asyncio.new_event_loop().run_until_complete(_serve(given))
    except BaseException as error:
        log.exception("worker.failed", error=type(error).__name__)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
