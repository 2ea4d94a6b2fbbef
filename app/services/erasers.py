"""The eraser, a thread of the worker: erases tenants step by step, and signs the certificate when nothing is left.

Each step is done again until it is done: what a kill leaves half done is found by the next worker that has the lease.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core.errors import AppError, Unavailable
from app.db import erasures as database
from app.db.erasures import Claim, Erasure
from app.db.units import Home, Units
from app.graph.gateway import Graph
from app.graph.projections import count_tenant, purge_tenant
from app.services import audit_seals, erasure_certificates, erasures
from app.services.erasure_certificates import Counts
from app.services.loops import Loop
from app.services.turns import Turns
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
ERASER = system_actor("eraser")
LEASE = timedelta(minutes=2)
MOST_ROWS = 2_000
LEAST_ROWS = 50
MOST_BEGUN = 20
MOST_LOOKED_AT = 20  # then what has become due meanwhile is begun, although others wait for something
MOST_WAIT = timedelta(minutes=5)
SOON = timedelta(seconds=1)
LATER = timedelta(seconds=5)
NEXT = {"directory": "rows", "rows": "executions", "executions": "graph", "graph": "scan"}


@dataclass(frozen=True, slots=True)
class Executions:
    """How many executions of workflows a tenant has, those under way and those that are over."""

    open: int
    closed: int


class ExecutionStore(Protocol):
    """Where a tenant's executions are. Raises Unavailable while it is away; removing may take effect later."""

    def count(self, tenant_id: UUID) -> Executions: ...
    def remove(self, tenant_id: UUID) -> None: ...


class NotYet(Exception):
    """Something is still under way that ends by itself; `again` says when to look."""

    def __init__(self, words: str, again: timedelta = SOON) -> None:
        super().__init__(words)
        self.again = again


class Eraser(Loop):
    """Any number may run at once: an erasure belongs to one of them at a time."""

    def __init__(
        self,
        units: Units,
        master_key: bytes,
        graph: Graph | None,
        executions: ExecutionStore,
        *,
        seconds: float = 1.0,
        most_rows: int = MOST_ROWS,
    ) -> None:
        super().__init__(units, "eraser", seconds=seconds)
        self._master_key = master_key
        self._graph = graph
        self._executions = executions
        self._most_rows = most_rows
        self._turns = Turns[UUID](lambda tenant_id: tenant_id)
        self._steps: dict[str, Callable[[Erasure], None]] = {
            "settle": self._settle,
            "key": self._destroy_key,
            "directory": self._erase_directory,
            "rows": self._erase_rows,
            "executions": self._remove_executions,
            "graph": self._purge_graph,
            "scan": self._scan,
        }

    def run_once(self) -> int:
        """Begin what is due and go on with what was begun, in this thread; return how many erasures were looked at."""
        for tenant_id in self._due():
            self._turns.note(tenant_id, done=self._begin(tenant_id))
        looked = 0
        while not self.stopping and looked < MOST_LOOKED_AT and (claimed := self._claim()) is not None:
            self._go_on(claimed)
            looked += 1
        return looked

    def turn(self) -> None:
        """Look once: what was put off is not due before the next turn."""
        self.run_once()

    def _due(self) -> list[UUID]:
        with self.directory() as session:
            return self._turns.take(partial(database.due, session), MOST_BEGUN)

    def _begin(self, tenant_id: UUID) -> bool:
        """Begin where the tenant is still deleted; whoever restored it meanwhile was first."""
        try:
            with tenant_scope(tenant_id), self._units.open(Home.ACCOUNT, ERASER) as unit:
                erasures.begin_erasure(unit)
                unit.commit()
            return True
        except OperationalError as error:
            log.info("eraser.not_begun", tenant=str(tenant_id), error=type(error.orig).__name__)
        except Exception as error:  # those that are under way, or come after, are not kept waiting
            log.warning("eraser.not_begun", tenant=str(tenant_id), error=type(error).__name__)
        return False

    def _claim(self) -> Claim | None:
        with self.directory() as session:
            return database.claim(session, LEASE)

    def _go_on(self, claimed: Claim) -> None:
        tenant_id = claimed.tenant_id
        bound = log.bind(tenant=str(tenant_id))
        try:
            with tenant_scope(tenant_id):
                while not self.stopping and (erasure := self._read(tenant_id)).step != "done":
                    self._steps[erasure.step](erasure)
                    bound.info("eraser.step_done", step=erasure.step, round=erasure.round)
            again, problem = SOON, "The worker stopped."
        except NotYet as error:
            again, problem = error.again, str(error)
        except AppError as error:
            again, problem = min(timedelta(seconds=2 ** min(claimed.attempts, 9)), MOST_WAIT), error.detail
        except Exception as error:
            bound.warning("eraser.step_failed", error=type(error).__name__)
            again, problem = min(timedelta(seconds=2 ** min(claimed.attempts, 9)), MOST_WAIT), type(error).__name__
        with self.directory() as session:
            database.postpone(session, tenant_id, again, problem)  # nothing, where it is finished

    def _read(self, tenant_id: UUID) -> Erasure:
        with self.directory() as session:
            database.keep(session, tenant_id, LEASE)
            return database.read(session, tenant_id)

    def _settle(self, erasure: Erasure) -> None:
        with self.directory() as session:
            settled = database.settled(session, erasure.tenant_id)
        if not settled:
            raise NotYet("Work that began earlier is not over yet.")

    def _destroy_key(self, erasure: Erasure) -> None:
        """First of all: from here on nobody can read what was sealed for the tenant, though the rows are there."""
        with self._units.open(Home.ACCOUNT, ERASER) as unit:
            database.note_keys(unit.session, erasure.tenant_id, database.wrapped_keys(unit.session, erasure.tenant_id))
            database.erase_rows(unit.session, erasure.tenant_id, "control.tenant_keys", self._most_rows)
            database.go_on(unit.session, erasure.tenant_id, "key", "directory")
            unit.commit()

    def _erase_directory(self, erasure: Erasure) -> None:
        with self.directory() as session:
            ties = database.ties(session)
        for tie in ties:
            self._in_batches(erasure, partial(database.erase_directory, tenant_id=erasure.tenant_id, tie=tie))
        self._done(erasure)

    def _erase_rows(self, erasure: Erasure) -> None:
        with self.directory() as session:
            tables = database.tables(session)
        for table in tables:
            self._in_batches(erasure, partial(database.erase_rows, tenant_id=erasure.tenant_id, table=table))
        self._done(erasure)

    def _in_batches(self, erasure: Erasure, erase: Callable[..., int]) -> None:
        """Erase until a batch is not full, each in a transaction of its own; a batch that takes too long is halved."""
        most = self._most_rows
        while not self.stopping:
            try:
                with self.directory() as session:
                    gone = erase(session, most=most)
                    database.keep(session, erasure.tenant_id, LEASE)
            except OperationalError:
                if most <= LEAST_ROWS:
                    raise
                most = max(LEAST_ROWS, most // 2)
                continue
            if gone < most:
                return
        raise NotYet("The worker stopped.")

    def _remove_executions(self, erasure: Erasure) -> None:
        found = self._executions.count(erasure.tenant_id)
        self._note(erasure, "executions", {"open": found.open, "closed": found.closed})
        if found.open or found.closed:
            self._executions.remove(erasure.tenant_id)
            raise NotYet("Temporal was asked to delete its executions.", LATER)
        self._done(erasure)

    def _purge_graph(self, erasure: Erasure) -> None:
        if self._graph is not None:
            self._note(erasure, "graph", {"nodes": count_tenant(self._graph)})
            purge_tenant(self._graph)
        self._done(erasure)

    def _scan(self, erasure: Erasure) -> None:
        """Count everything once more; sign the certificate where nothing is left, else begin another round."""
        if not erasure.quiet:
            raise NotYet("Work that was in hand when the erasure began is not over yet.")
        outside = self._left_outside(erasure.tenant_id)
        with self.directory() as session:
            remains = self._conclude(session, erasure, outside)
        if remains:
            raise Unavailable(f"{remains} things were left: another round begins.")

    def _conclude(self, session: Session, erasure: Erasure, outside: Counts) -> int:
        """Return how much is left, with another round begun, or 0 with the certificate written."""
        left = {**database.left(session, erasure.tenant_id), **outside}
        if remains := erasure_certificates.total(left):
            database.go_on(session, erasure.tenant_id, "scan", "directory")
            return remains
        key = audit_seals.signing_key(session, self._master_key)
        removed = database.counts(session, erasure.tenant_id)
        body = erasure_certificates.compose(erasure, removed, left, key.public_key(), self._units.clock.now())
        database.finish(session, erasure.tenant_id, body.decode(), erasure_certificates.sign(key, body))
        return 0

    def _left_outside(self, tenant_id: UUID) -> dict[str, dict[str, int]]:
        found = self._executions.count(tenant_id)
        left = {"executions": {"open": found.open, "closed": found.closed}}
        if self._graph is not None:
            left["graph"] = {"nodes": count_tenant(self._graph)}
        return left

    def _note(self, erasure: Erasure, kind: str, found: dict[str, int]) -> None:
        with self.directory() as session:
            for name, number in found.items():
                database.note_found(session, erasure.tenant_id, kind, name, number)

    def _done(self, erasure: Erasure) -> None:
        with self.directory() as session:
            database.go_on(session, erasure.tenant_id, erasure.step, NEXT[erasure.step])
