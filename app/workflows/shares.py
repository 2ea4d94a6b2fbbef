"""What each tenant gets of a worker process: slots of its own queue, by its plan, and its weight where all wait."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from temporalio.worker import (
    CustomSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
)

# So soon a tenant whose slots are all taken has those of a larger plan.
_LOOK_AGAIN_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Share:
    """A plan's workers, which are slots in each worker process, and its priority."""

    workers: int = 1
    priority: int = 1


class Shares:
    """The shares of the tenants that have work, as last heard; one not known yet is the smallest. For any thread."""

    def __init__(self) -> None:
        self._shares: dict[UUID, Share] = {}

    def of(self, tenant_id: UUID) -> Share:
        """Return the tenant's share."""
        return self._shares.get(tenant_id, Share())

    def put(self, tenant_id: UUID, share: Share) -> None:
        """Let the tenant have this share from the next task on."""
        self._shares[tenant_id] = share

    def replace(self, shares: Mapping[UUID, Share]) -> None:
        """Forget all others."""
        self._shares = dict(shares)


class Slots(CustomSlotSupplier):
    """The activity slots of one tenant's worker: none is given while `most()` or more are taken.

    `most` is asked anew each time, so that another plan holds without a new worker; what runs beyond a smaller plan
    ends first. temporalio calls from threads of its own, and waits on the event loop.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken = 0
        self._freed: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    async def reserve_slot(self, _ctx: SlotReserveContext) -> SlotPermit:
        """Return when there is a slot."""
        freed = asyncio.Event()
        self._freed = asyncio.get_running_loop(), freed
        while not self._take():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(freed.wait(), _LOOK_AGAIN_SECONDS)
            freed.clear()
        return SlotPermit()

    def try_reserve_slot(self, _ctx: SlotReserveContext) -> SlotPermit | None:
        """Return a slot if there is one now."""
        return SlotPermit() if self._take() else None

    def mark_slot_used(self, _ctx: SlotMarkUsedContext) -> None:
        """Do nothing: a slot counts from its reservation on."""

    def release_slot(self, _ctx: SlotReleaseContext) -> None:
        """Give a slot back."""
        with self._lock:
            self._taken -= 1
        if self._freed is not None:
            loop, freed = self._freed
            with contextlib.suppress(RuntimeError):  # the loop is closed: the worker is gone
                loop.call_soon_threadsafe(freed.set)

    def _take(self) -> bool:
        with self._lock:
            if self._taken >= max(1, self._most()):
                return False
            self._taken += 1
            return True
