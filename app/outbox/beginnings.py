"""Lets a scan that begins go before what a busy tenant does meanwhile: threads share one interpreter."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from uuid import UUID

# The effects with which a scan begins.
BEGIN = frozenset({"scan.dispatch"})
# No piece of work waits longer, and no beginning is waited for longer.
MOST_SECONDS = 0.15
SPAN_SECONDS = 3.0
MANY = 5
TIMES = 2
# So long after its last scan began is a tenant taken to be there.
THERE_SECONDS = 60.0


class Beginnings:
    """Work of a busy tenant waits, for moments, while a scan of one that is less busy begins. For any thread.

    Busy is who began `MANY` scans and more within the last seconds, beside another one who began, for its priority,
    less than half as many. Where tenants are about equally busy, and where one is alone, nobody waits.

    A tenant that is there may have its next scan begin at any moment: those that are busy beside it begin theirs one
    at a time, all together, with a rest as long as each took.
    """

    def __init__(
        self, priority: Callable[[UUID], int] = lambda _tenant_id: 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._priority, self._clock = priority, clock
        self._moved = threading.Condition()
        self._recent: deque[tuple[float, UUID]] = deque()
        self._counts: Counter[UUID] = Counter()
        self._until: dict[UUID, float] = {}
        self._there: dict[UUID, float] = {}  # when each began last, the longest ago first
        self._ahead: dict[UUID, float] = {}  # until when each counts as busy beside others that it is ahead of
        self._pending: tuple[UUID, float] | None = None
        self._closed_until = float("-inf")

    def expect(self, tenant_id: UUID) -> None:
        """A scan of the tenant is about to begin."""
        with self._moved:
            now = self._clock()
            self._forget(now)
            self._until[tenant_id] = now + MOST_SECONDS
            if self._beside(tenant_id, self._there, now):
                self._pending = tenant_id, now
                self._closed_until = now + MOST_SECONDS

    def begun(self, tenant_id: UUID, scans: int = 1) -> None:
        """It has begun, or there was none to begin."""
        with self._moved:
            now = self._clock()
            if scans:
                self._recent.append((now, tenant_id))
                self._counts[tenant_id] += 1
                self._there.pop(tenant_id, None)
                self._there[tenant_id] = now
            if self._pending is not None and self._pending[0] == tenant_id:
                self._closed_until = now + min(MOST_SECONDS, now - self._pending[1])
                self._pending = None
            if self._until.pop(tenant_id, None) is not None:
                self._moved.notify_all()

    def paced(self) -> tuple[list[UUID], float]:
        """Return which tenants are to begin one at a time, and for how many seconds none of them may."""
        with self._moved:
            now = self._clock()
            self._forget(now)
            busy = [each for each in self._counts if self._beside(each, self._there, now)]
            return busy, max(0.0, self._closed_until - now)

    def one_by_one(self, tenant_id: UUID) -> bool:
        """Tell whether the tenant is one of those that begin one scan at a time."""
        with self._moved:
            now = self._clock()
            self._forget(now)
            return self._beside(tenant_id, self._there, now)

    def give_way(self, tenant_id: UUID) -> None:
        """Return when no scan begins that the tenant's work gives way to, at the latest after `MOST_SECONDS`."""
        with self._moved:
            if self._counts[tenant_id] < MANY:
                return
            now = self._clock()
            deadline = now + MOST_SECONDS
            while (end := min(deadline, self._awaited(tenant_id, now))) > now:
                self._moved.wait(end - now)
                now = self._clock()

    def _awaited(self, tenant_id: UUID, now: float) -> float:
        """Return until when the tenant's work gives way."""
        self._forget(now)
        return max(
            (until for other, until in self._until.items() if self._beside(tenant_id, [other], now)), default=now
        )

    def _beside(self, tenant_id: UUID, others: Iterable[UUID], now: float) -> bool:
        """Tell whether the tenant is busy and one of the others much less so.

        Who was, is so until it is no longer ahead: a pace that slows it down would otherwise end itself.
        """
        busy = self._counts[tenant_id]
        if busy < MANY:
            return False
        load = busy / self._priority(tenant_id) / (1 if tenant_id in self._ahead else TIMES)
        found = any(other != tenant_id and load > self._counts[other] / self._priority(other) for other in others)
        if found:
            self._ahead[tenant_id] = now + SPAN_SECONDS
        return found

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - SPAN_SECONDS:
            _, tenant_id = self._recent.popleft()
            self._counts[tenant_id] -= 1
            if not self._counts[tenant_id]:
                del self._counts[tenant_id]
        for ends in (self._until, self._ahead):
            for tenant_id in [each for each, until in ends.items() if until <= now]:
                del ends[tenant_id]
        while self._there and (eldest := next(iter(self._there.items())))[1] < now - THERE_SECONDS:
            del self._there[eldest[0]]
