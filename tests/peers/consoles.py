"""The whole product in processes of its own: web, worker and demonstration target, as `make run` starts them."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from app.local import ports
from tests.peers.workers import ROOT, WorkerInProcess, working


@dataclass(frozen=True)
class Console:
    """A running console: its address, the plain demonstration target's, and both targets as `address:port`."""

    address: str
    target: str
    targets: str
    logs: Path
    settings: Mapping[str, str]
    worker: WorkerInProcess

    def log(self, name: str) -> str:
        """What the process called `name` has written so far."""
        return (self.logs / f"{name}.log").read_text()


@contextmanager
def _process(name: str, command: list[str], environment: Mapping[str, str], logs: Path) -> Iterator[None]:
    with (logs / f"{name}.log").open("ab") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=dict(environment), stdout=out, stderr=out)
    try:
        yield
    finally:
        process.kill()
        process.wait(60)


@contextmanager
def serving(environment: Mapping[str, str], logs: Path) -> Iterator[Console]:
    """Start web, worker and target with these settings; all of them are killed at the end."""
    port, plain, tls = ports.free_port(), ports.free_port(), ports.free_port()
    address = f"http://localhost:{port}"
    settings = {
        "PATH": os.environ["PATH"],
        **environment,
        "BASE_URL": address,
        "DEMONSTRATION_TARGETS": f"127.0.0.1:{plain},127.0.0.1:{tls}",
    }
    gunicorn = [sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", f"127.0.0.1:{port}"]
    threads = ["--worker-class", "gthread", "--threads", "8", "--workers", environment.get("WEB_CONCURRENCY", "1")]
    threads.append("--preload")
    ports_of_target = ["--http-port", str(plain), "--https-port", str(tls), "--state", str(logs)]
    with (
        _process("web", gunicorn + threads, settings, logs),
        _process("target", [sys.executable, "-m", "app.local.target", *ports_of_target], settings, logs),
        working(settings, logs / "worker.log") as worker,
    ):
        worker.wait_for("worker.ready")
        _until_it_answers(f"{address}/health", logs / "web.log")
        yield Console(address, f"http://127.0.0.1:{plain}/", settings["DEMONSTRATION_TARGETS"], logs, settings, worker)


def _until_it_answers(url: str, log: Path) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except (URLError, OSError):
            if time.monotonic() > deadline:
                raise AssertionError(log.read_text()[-3000:]) from None
            time.sleep(0.1)
