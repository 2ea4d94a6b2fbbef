"""Lets a scan that begins go before what a busy tenant does meanwhile: threads share one interpreter."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from uuid import UUID

# The effects with which a scan begins.
BEGIN = frozenset({"scan.dispatch"})
# No piece of work waits longer, and no beginning is waited for longer.
MOST_SECONDS = 0.15
SPAN_SECONDS = 5.0
MANY = 8
TIMES = 2


class Beginnings:
    """Work of a busy tenant waits, for moments, while a scan of one that is less busy begins. For any thread.

    Busy is who began `MANY` scans and more within the last seconds; beside another one who began, for its priority,
    more than twice as many. Where tenants are about equally busy, and where one is alone, nobody waits.
    """

    def __init__(
        self, priority: Callable[[UUID], int] = lambda _tenant_id: 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._priority, self._clock = priority, clock
        self._moved = threading.Condition()
        self._recent: deque[tuple[float, UUID]] = deque()
        self._counts: Counter[UUID] = Counter()
        self._until: dict[UUID, float] = {}

    def expect(self, tenant_id: UUID) -> None:
        """A scan of the tenant is about to begin."""
        with self._moved:
            now = self._clock()
            self._recent.append((now, tenant_id))
            self._counts[tenant_id] += 1
            self._until[tenant_id] = now + MOST_SECONDS
            self._forget(now)

    def begun(self, tenant_id: UUID) -> None:
        """It has begun, or there was none to begin."""
        with self._moved:
            if self._until.pop(tenant_id, None) is not None:
                self._moved.notify_all()

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
        busy = self._counts[tenant_id]
        if busy < MANY:
            return now
        load = busy / self._priority(tenant_id)
        ends = (
            until
            for other, until in self._until.items()
            if other != tenant_id and load > TIMES * self._counts[other] / self._priority(other)
        )
        return max(ends, default=now)

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - SPAN_SECONDS:
            _, tenant_id = self._recent.popleft()
            self._counts[tenant_id] -= 1
            if not self._counts[tenant_id]:
                del self._counts[tenant_id]
        for tenant_id in [each for each, until in self._until.items() if until <= now]:
            del self._until[tenant_id]
