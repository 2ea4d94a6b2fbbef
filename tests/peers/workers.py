"""A worker in a process of its own, as production runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class WorkerInProcess:
    """`python -m app.worker`, or a module that stands for it, and its log."""

    def __init__(self, environment: Mapping[str, str], log: Path, module: str = "app.worker", *arguments: str) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], **environment},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def wait_for(self, event: str, seconds: float = 90.0) -> None:
        """Return when the log holds `event`."""
        deadline = time.monotonic() + seconds
        while event not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no {event}: {self.log.read_text()[-3000:]}")
            time.sleep(0.05)

    def end(self, seconds: float = 90.0) -> int:
        """Send SIGTERM; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End the process and all of its session with SIGKILL."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)


@contextmanager
def working(environment: Mapping[str, str], log: Path, module: str = "app.worker") -> Iterator[WorkerInProcess]:
    """A worker that is killed at the end, if it is still there."""
    worker = WorkerInProcess(environment, log, module)
    try:
        yield worker
    finally:
        worker.kill()
