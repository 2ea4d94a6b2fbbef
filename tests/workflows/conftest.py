"""A client and workers on the Temporal of the test run, with keys in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client

from app.workflows.client import connect_to
from app.workflows.hosts import Duties
from tests.peers.echoes import EchoWorkflow, WayfarerWorkflow, echo
from tests.peers.keyrings import MemoryKeyRing


class Workshop:
    """A connected client, and workers on request."""

    def __init__(self, address: str, client: Client, keys: MemoryKeyRing) -> None:
        self.address, self.client, self.keys = address, client, keys
        self.threads = ThreadPoolExecutor(8), ThreadPoolExecutor(8)

    def duties(self, workflows: list[type], activities: list[Callable[..., Any]]) -> Duties:
        return Duties(self.client, workflows, activities, *self.threads)

    @asynccontextmanager
    async def worker(self, tenant_id: UUID) -> AsyncIterator[None]:
        async with self.duties([EchoWorkflow, WayfarerWorkflow], [echo]).worker_of(tenant_id):
            yield


@pytest.fixture
def tenant_id() -> UUID:
    return uuid4()


@pytest.fixture
def with_temporal(temporal_address: str) -> Callable[[Callable[[Workshop], Coroutine[Any, Any, None]]], None]:
    """Runs a coroutine function with a workshop on the run's Temporal, in an empty context."""

    def run(scenario: Callable[[Workshop], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            keys = MemoryKeyRing()
            await scenario(Workshop(temporal_address, await connect_to(temporal_address, "default", keys), keys))

        asyncio.run(asyncio.wait_for(main(), 90))

    return run
