"""What a tenant has of a worker process: its plan's slots, and its turn among all."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.tenancy.context import tenant_scope
from app.workflows.rooms import Room
from app.workflows.shares import Share, Slots
from tests.peers.patience import until

Run = Callable[[Callable[[Any], Any]], None]


@pytest.mark.temporal
def test_a_plans_workers_hold_and_another_plan_holds_at_once(with_temporal: Run, tenant_id: UUID) -> None:
    """With one worker one probe runs; with three, without a new worker of the queue, three; all are done in the end."""

    async def scenario(shop: Any) -> None:
        duties = shop.scanning()
        duties.shares.put(tenant_id, Share(1, 1))
        shop.probe.released.clear()
        rows = [shop.records.add(tenant_id) for _ in range(5)]
        async with duties.worker_of(tenant_id):
            with tenant_scope(tenant_id):
                for row in rows:
                    await shop.begin(row)
            await until(lambda: shop.probe.runs == 1)
            await asyncio.sleep(0.2)
            assert shop.probe.runs == 1
            duties.shares.put(tenant_id, Share(3, 2))
            await until(lambda: shop.probe.runs == 3)
            await asyncio.sleep(0.2)
            assert shop.probe.runs == 3
            duties.shares.put(tenant_id, Share(1, 1))
            shop.probe.released.set()
            await until(lambda: all(row.status == "done" for row in rows))

    with_temporal(scenario)


def test_slots_are_given_up_to_the_plan_and_wait_beyond() -> None:
    """A reservation beyond the plan waits for a release, or for a larger plan; one that cannot wait gets none."""
    nothing: Any = None

    async def scenario() -> None:
        most = [1]
        slots = Slots(lambda: most[0])
        await slots.reserve_slot(nothing)
        assert slots.try_reserve_slot(nothing) is None
        second = asyncio.create_task(slots.reserve_slot(nothing))
        await asyncio.sleep(0.02)
        assert not second.done()
        slots.release_slot(nothing)
        await asyncio.wait_for(second, 60)
        third = asyncio.create_task(slots.reserve_slot(nothing))
        await asyncio.sleep(0.02)
        assert not third.done()
        most[0] = 2
        await asyncio.wait_for(third, 60)
        assert slots.try_reserve_slot(nothing) is None

    asyncio.run(scenario())


class Crowd:
    """Tenants that ask for places and hold each until it is told to leave; `order` is who got one, in order."""

    def __init__(self, room: Room) -> None:
        self.room, self.order, self.places = room, [], []
        self.tasks: list[asyncio.Task[None]] = []

    async def enter(self, *tenants: UUID) -> None:
        for tenant_id in tenants:
            self.tasks.append(asyncio.create_task(self._hold(tenant_id)))
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def leave(self, place: int) -> None:
        self.places[place].set()
        for _ in range(5):
            await asyncio.sleep(0)

    async def end(self) -> None:
        while not all(task.done() for task in self.tasks):
            for place in self.places:
                place.set()
            await asyncio.sleep(0)

    async def _hold(self, tenant_id: UUID) -> None:
        async with self.room.place(tenant_id):
            self.order.append(tenant_id)
            self.places.append(asyncio.Event())
            await self.places[-1].wait()


def test_a_flood_never_has_the_last_places() -> None:
    """Of eight places a flood of 50 gets six; the next two go to tenants that hold none, at once."""
    flood, one, two, three = uuid4(), uuid4(), uuid4(), uuid4()

    async def scenario() -> None:
        crowd = Crowd(Room(8, lambda _tenant_id: 1))
        await crowd.enter(*[flood] * 50)
        assert crowd.order == [flood] * 6
        await crowd.enter(one, two, three)
        assert crowd.order[6:] == [one, two]
        await crowd.leave(0)
        assert crowd.order[8:] == [three]
        await crowd.end()
        assert len(crowd.order) == 53

    asyncio.run(scenario())


def test_a_larger_plan_has_more_turns_and_nobody_starves() -> None:
    """With one place, priority 3 has three turns of four beside priority 1; who is cancelled in line takes none."""
    low, high = uuid4(), uuid4()

    async def scenario() -> None:
        now = [0.0]
        crowd = Crowd(Room(1, lambda tenant_id: 3 if tenant_id == high else 1, clock=lambda: now[0]))
        await crowd.enter(low, *[high] * 8, *[low] * 8)
        crowd.tasks.pop().cancel()
        for turn in range(8):
            now[0] += 1.0
            await crowd.leave(turn)
        assert crowd.order == [low, *[high, high, high, low] * 2]
        await crowd.end()
        assert (crowd.order.count(low), crowd.order.count(high)) == (8, 8)

    asyncio.run(scenario())
