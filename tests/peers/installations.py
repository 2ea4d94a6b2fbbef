"""A running installation as its operator sees it: its parts, its rows, its workflows, its graph."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import neo4j
import psycopg
import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Units
from app.local import graph, keys
from app.local.postgres import SUPERUSER, PostgresServer
from tests.peers.checkouts import Run

_PATIENCE_SECONDS = 90.0


class Installation:
    """A `run` whose parts all work, looked at past the application: with the superuser's and the servers' own eyes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.address = run.address()
        run.wait_for("all parts run", 180)
        state = run.checkout / ".local"
        self._keys = keys.load(state / "secrets.json")
        self._ports: Mapping[str, int] = json.loads((state / "ports.json").read_text())
        self._postgres = PostgresServer(state / "data" / "postgres", self._keys)

    @property
    def temporal_address(self) -> str:
        """Where its Temporal listens."""
        return f"127.0.0.1:{self._ports['temporal']}"

    @property
    def targets(self) -> list[str]:
        """The demonstration target's addresses."""
        return [f"http://127.0.0.1:{self._ports['target']}/", f"https://127.0.0.1:{self._ports['target_tls']}/"]

    def key(self, name: str) -> str:
        """One of the secrets of its checkout."""
        return self._keys[name]

    def reader(self) -> "Reader":
        """A reader of its rows, for one thread."""
        return Reader(self._postgres.url(SUPERUSER, "sentinel"))

    def graph_rows(self, text: str, **parameters: Any) -> list[dict[str, Any]]:
        """What the graph's administrator reads."""
        uri, user = f"bolt://127.0.0.1:{self._ports['graph']}", (graph.USER, self._keys["graph"])
        with neo4j.GraphDatabase.driver(uri, auth=user, notifications_min_severity="OFF") as driver:
            return driver.execute_query(text, parameters, database_=graph.DATABASE).records  # type: ignore[return-value]

    async def open_workflows(self) -> list[str]:
        """The ids of the workflows that Temporal calls running."""
        client = await Client.connect(self.temporal_address)
        return [found.id async for found in client.list_workflows("ExecutionStatus = 'Running'")]

    async def polled_since(self, queues: list[str], moment: float) -> list[str]:
        """Which of the queues were polled after `moment`, seconds since the epoch; a poll lasts a minute at most."""
        client = await Client.connect(self.temporal_address)
        polled = []
        for queue in queues:
            for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
                asked = DescribeTaskQueueRequest(
                    namespace="default", task_queue=TaskQueue(name=queue), task_queue_type=kind
                )
                known = await client.workflow_service.describe_task_queue(asked)
                polled += [queue for one in known.pollers if one.last_access_time.ToMicroseconds() / 1e6 > moment]
        return polled

    @contextmanager
    def units(self) -> Iterator[Units]:
        """Units of work in this process as the installation's web process has them."""
        given = {name: self._keys[name] for name in ("SECRET_KEY", "MASTER_KEY", "KEY_PEPPER")}
        given |= {"SENTINEL_ENV": "development", "BASE_URL": self.address}
        given |= {"DATABASE_URL": self._postgres.url("sentinel_app")}
        given |= {"DATABASE_WORKER_URL": self._postgres.url("sentinel_worker")}
        given |= {"DEMONSTRATION_TARGETS": ",".join(url.split("/")[2] for url in self.targets)}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            settings.cache_clear()
            opened = open_units(settings(), given["DATABASE_URL"])
            try:
                yield opened
            finally:
                opened.engines.dispose()
                settings.cache_clear()

    def log(self, name: str, most: int = 4000) -> str:
        """The end of a part's log."""
        return (self.run.checkout / ".local" / "log" / f"{name}.log").read_text(errors="replace")[-most:]


class Reader:
    """Reads rows as the superuser; waits while Postgres is away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def rows(self, statement: LiteralString, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
                return self._connection.execute(statement, parameters or None).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                self._connection = None
                time.sleep(0.1)


def children_of(pid: int) -> list[int]:
    """The children of a process (Linux)."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
