"""A number of places that tenants take in turns, so that none takes them all."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from uuid import UUID

# Beyond so many, turns that lie back the longest are forgotten.
_REMEMBERED = 4_096


class Room:
    """`places` at once; belongs to one event loop.

    A free place goes to a tenant that holds none, before any that holds some; among them to the one whose last turn
    lies furthest back, times its priority. The last quarter of the places is kept for tenants that hold none.
    """

    def __init__(
        self, places: int, priority: Callable[[UUID], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._free, self._kept = places, places // 4
        self._priority, self._clock = priority, clock
        self._held: Counter[UUID] = Counter()
        self._served: dict[UUID, float] = {}
        self._line: list[tuple[UUID, asyncio.Future[None]]] = []

    @contextlib.asynccontextmanager
    async def place(self, tenant_id: UUID) -> AsyncIterator[None]:
        """Wait for a place and hold it within the block."""
        turn = asyncio.get_running_loop().create_future()
        self._line.append((tenant_id, turn))
        self._seat()
        try:
            await turn
            yield
        finally:
            self._leave(tenant_id, turn)

    def _leave(self, tenant_id: UUID, turn: "asyncio.Future[None]") -> None:
        if (tenant_id, turn) in self._line:  # cancelled while it waited
            self._line.remove((tenant_id, turn))
            return
        self._free += 1
        self._held[tenant_id] -= 1
        if not self._held[tenant_id]:
            del self._held[tenant_id]
        self._seat()

    def _seat(self) -> None:
        while (chosen := self._next()) is not None:
            self._line.remove(chosen)
            tenant_id, turn = chosen
            self._free -= 1
            self._held[tenant_id] += 1
            self._served.pop(tenant_id, None)
            self._served[tenant_id] = self._clock()
            if len(self._served) > _REMEMBERED:
                del self._served[next(iter(self._served))]
            if not turn.done():
                turn.set_result(None)

    def _next(self) -> "tuple[UUID, asyncio.Future[None]] | None":
        now = self._clock()

        def patience(entry: "tuple[UUID, asyncio.Future[None]]") -> tuple[bool, float]:
            tenant_id = entry[0]
            since = now - self._served[tenant_id] if tenant_id in self._served else float("inf")
            return tenant_id not in self._held, since * self._priority(tenant_id)

        ready = [e for e in self._line if self._free > (self._kept if e[0] in self._held else 0)]
        return max(ready, key=patience, default=None)  # of equals the first in line
