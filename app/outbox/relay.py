"""The relay: claims due effects by turns of the tenants, carries each out as its tenant, and marks it done.

Fair by four rules. Whose last effect lies furthest back, times the plan's weight, comes next, however long another's
backlog is. No tenant has more than a quarter of the threads. Who has something in hand
leaves the last ones to others. Busy tenants are paced beside others.
"""

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import NoResultFound, OperationalError, SQLAlchemyError

from app.db import work
from app.db.engines import NOBODY
from app.db.units import Home, Unit, Units
from app.db.urls import libpq_url
from app.db.work import ClaimedEffect, Hands
from app.models.accounts import AccountEffect
from app.models.tables import OutboxColumns
from app.models.trails import Effect
from app.outbox.beginnings import BEGIN, Beginnings
from app.outbox.wakers import CHANNEL
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
LEASE = timedelta(seconds=20)
MOST_BACKOFF = timedelta(minutes=5)
RELAY = system_actor("outbox relay")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One effect in the hands of its handler; `attempt` counts from 1."""

    tenant_id: UUID
    id: UUID
    kind: str
    payload: dict[str, Any]
    attempt: int


class Postponed(Exception):
    """Raised by a handler whose far end is down: the effect is tried again in a second, without backing off."""


Handler = Callable[[Delivery], None]


class Relay:
    """Runs in the worker; any number may run at once. Handlers are idempotent: a delivery may come again."""

    def __init__(
        self,
        units: Units,
        handlers: Mapping[str, Handler],
        *,
        listen_url: str | None,
        threads: int = 8,
        poll_seconds: float = 1.0,
        weights: Mapping[str, int] | None = None,
        beginnings: Beginnings | None = None,
    ) -> None:
        """`weights` are the plans' priorities by name; without them all tenants weigh the same."""
        self._units = units
        self._handlers = dict(handlers)
        self._listen_url = listen_url
        self._threads = threads
        self._weights = dict(weights or {})
        self._beginnings = beginnings or Beginnings()
        self._share = max(1, threads // 4)
        self._kept_free = threads // 4
        self._hands: Counter[UUID] = Counter()
        self._withheld = False
        self._lock = threading.Lock()
        self._poll = self._pause = poll_seconds
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._busy = threading.Semaphore(threads)
        self._running: list[threading.Thread] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="effect")

    def start(self) -> None:
        """Begin to claim and deliver, in threads of its own."""
        for target in (self._claim_loop, self._listen_loop):
            thread = threading.Thread(target=target, name=f"relay{target.__name__}", daemon=True)
            thread.start()
            self._running.append(thread)

    def stop(self) -> None:
        """Take no more; return when what was taken is delivered."""
        self._stop.set()
        self._wake.set()
        for thread in self._running:
            thread.join(timeout=5)
        self._pool.shutdown(wait=True)

    def wake(self) -> None:
        """Look for due effects now."""
        self._wake.set()

    def run_once(self) -> int:
        """Deliver what is due in this thread; return how many were taken."""
        claimed = self._claim(self._threads)
        for effect in claimed:
            self._deliver(effect)
        return len(claimed)

    def _claim(self, most: int) -> list[ClaimedEffect]:
        session = self._units.start(self._units.engines.control, NOBODY)
        try:
            claimed = work.claim_effects(session, list(self._handlers), most, LEASE, self._in_hand(most))
            session.commit()
            return claimed
        finally:
            session.close()

    def _in_hand(self, free: int) -> Hands:
        spare = max(0, free - self._kept_free)
        paced, closed = self._beginnings.paced()
        with self._lock:
            held = list(self._hands)
            full = [tenant_id for tenant_id, number in self._hands.items() if number >= self._share]
            self._withheld = bool(full) or (bool(held) and spare < free)
        self._pause = min(self._poll, closed) if paced and closed else self._poll
        if closed:
            full += paced
        elif paced:
            held, spare = [*held, *paced], min(spare, 1)
        return Hands(self._weights, full, held, spare)

    def _claim_loop(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                if not self._claim_some():
                    self._wake.wait(self._pause)
            except Exception as error:  # whatever it is: without this loop nothing is dispatched any more
                log.warning("relay.claim_failed", error=type(error).__name__)
                self._stop.wait(self._poll)

    def _claim_some(self) -> bool:
        self._busy.acquire()
        slots = 1
        while slots < self._threads and self._busy.acquire(blocking=False):
            slots += 1
        claimed: list[ClaimedEffect] = []
        try:
            claimed = self._claim(slots)
        finally:
            for _ in range(slots - len(claimed)):
                self._busy.release()
        for effect in claimed:
            if effect.kind in BEGIN:
                self._beginnings.expect(effect.tenant_id)
            with self._lock:
                self._hands[effect.tenant_id] += 1
            freed = functools.partial(self._free, effect.tenant_id)
            self._pool.submit(self._deliver, effect).add_done_callback(freed)
        return bool(claimed)

    def _free(self, tenant_id: UUID, _done: "Future[None]") -> None:
        with self._lock:
            self._hands[tenant_id] -= 1
            if not self._hands[tenant_id]:
                del self._hands[tenant_id]
            withheld = self._withheld
        self._busy.release()
        if withheld:
            self._wake.set()

    def _listen_loop(self) -> None:
        if self._listen_url is None:
            return
        while not self._stop.is_set():
            try:
                with psycopg.connect(libpq_url(self._listen_url), autocommit=True, connect_timeout=5) as connection:
                    connection.execute(f"LISTEN {CHANNEL}".encode())
                    self._wake.set()
                    while not self._stop.is_set():
                        for _notice in connection.notifies(timeout=1.0, stop_after=1):
                            self._wake.set()
            except psycopg.Error as error:
                log.warning("relay.listen_failed", error=type(error).__name__)
                self._stop.wait(self._poll)

    def _deliver(self, effect: ClaimedEffect) -> None:
        bound = log.bind(tenant=str(effect.tenant_id), effect=str(effect.id), kind=effect.kind)
        handled = False
        self._beginnings.give_way(effect.tenant_id)
        with tenant_scope(effect.tenant_id):
            try:
                delivery = self._load(effect)
                if delivery is None:
                    return
                self._handlers[effect.kind](delivery)
                handled = True
                self._finish(effect)
            except Postponed:
                self._again(effect, None, bound, handled)
            except OperationalError as error:  # the database was away or busy: no fault of the effect's
                bound.info("relay.database_busy", error=type(error.orig).__name__)
                self._again(effect, None, bound, handled)
            except Exception as error:
                bound.warning("relay.effect_failed", error=type(error).__name__)
                self._again(effect, type(error).__name__, bound, handled)

    def _load(self, effect: ClaimedEffect) -> Delivery | None:
        with self._units.open(Home(effect.home), RELAY) as unit:
            row = _row(unit, effect)
            if row.done_at is not None:
                return None
            return Delivery(effect.tenant_id, effect.id, row.kind, row.payload, row.attempts + 1)

    def _finish(self, effect: ClaimedEffect) -> None:
        with self._units.open(Home(effect.home), RELAY) as unit:
            row = _row(unit, effect)
            row.done_at = unit.now()
            row.attempts += 1
            row.last_error = None
            unit.commit()

    def _again(self, effect: ClaimedEffect, problem: str | None, bound: Any, handled: bool) -> None:
        """Put the effect off; while the database is away, as long as our lease lasts: who comes after would wait."""
        deadline = time.monotonic() + LEASE.total_seconds()
        while True:
            try:
                return self._put_off(effect, problem, handled)
            except NoResultFound:  # it went with its tenant
                return None
            except SQLAlchemyError:
                if time.monotonic() > deadline or self._stop.wait(self._poll):
                    bound.warning("relay.lease_runs_out")
                    return None

    def _put_off(self, effect: ClaimedEffect, problem: str | None, handled: bool) -> None:
        with self._units.open(Home(effect.home), RELAY) as unit:
            row = _row(unit, effect)
            if row.done_at is not None and handled:  # its commit was lost on the way to us
                return
            row.done_at = None  # another admission took ours for done, and what it left to us failed
            row.attempts += problem is not None
            row.last_error = problem or row.last_error
            wait = timedelta(seconds=1) if problem is None else timedelta(seconds=2 ** min(row.attempts, 9))
            row.due_at = unit.now() + min(wait, MOST_BACKOFF)
            unit.commit()


def _row(unit: Unit, effect: ClaimedEffect) -> OutboxColumns:
    key = (effect.tenant_id, effect.id)
    if effect.home == Home.CONTENT:
        return unit.session.get_one(Effect, key)
    return unit.session.get_one(AccountEffect, key)
