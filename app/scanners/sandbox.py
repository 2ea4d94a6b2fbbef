"""Runs probes in confined processes: whatever hostile input does to one, here it is an artefact that says so.

`python -m app.scanners.sandbox` runs one in the plain way: ticket on standard input, lines on standard output, in JSON.
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from app.scanners.catalogue import TOOLS, load_probe
from app.scanners.confinement import GRACE_SECONDS, OUTPUT_BYTES, read_artefact, read_ticket, run_confined, write_all
from app.scanners.probes import Artefact, Ticket

OnTick = Callable[[str], object]

_ROOT = Path(__file__).resolve().parents[2]
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
_SINGLE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a process with threads must not fork
_START_SECONDS = 60.0
_TICK_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_CANCELLED = "The scan was cancelled"
_TOO_LONG = "The scan took longer than it may"
_ENDED = {
    -signal.SIGXCPU: "The scan used more processor time than it may",
    -signal.SIGALRM: _TOO_LONG,
    -signal.SIGKILL: "The scan's process was killed, perhaps for want of memory",
    -signal.SIGSEGV: "The scan's process crashed",
}


def run_probe(ticket: Ticket, *, on_tick: OnTick | None = None, cancelled: threading.Event | None = None) -> Artefact:
    """Run the ticket's probe in a process of its own and return what it brought back.

    `on_tick` is called with the present step when one begins and about each second. A crash, a limit or the end of the
    time is an artefact with `failure`. The process is killed at once when `cancelled` is set (then that is the
    `failure`), and when an exception comes up here: from `on_tick`, or thrown into this thread.
    """
    if ticket.tool not in TOOLS:
        return Artefact(ticket.tool, failure="There is no such tool")
    for _ in range(2):
        requests = _DEFAULT.zygote(ticket.tool)
        run = _DEFAULT.begin(ticket, requests)
        if run is not None:
            with contextlib.closing(run):
                artefact = run.result(on_tick, cancelled)
            if artefact is not None:
                return artefact
        _DEFAULT.discard(ticket.tool, requests)
    return Artefact(ticket.tool, failure="The scan's process could not be started")


def warm(*tools: str) -> None:
    """Start the processes from which runs of these tools are forked, without waiting for them."""
    for tool in tools:
        _DEFAULT.zygote(tool)


class _Zygotes:
    """The zygotes of this process, one a tool, started when first needed and anew when one is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._running: dict[str, tuple[subprocess.Popen[bytes], socket.socket]] = {}

    def zygote(self, tool: str) -> socket.socket:
        with self._lock:
            if self._owner != os.getpid():  # forked since: those belong to the parent
                self._owner, self._running = os.getpid(), {}
            process, requests = self._running.get(tool, (None, None))
            if process is None or requests is None or process.poll() is not None:
                process, requests = _start(TOOLS[tool].probe)
                self._running[tool] = (process, requests)
            return requests

    def begin(self, ticket: Ticket, requests: socket.socket) -> "_Run | None":
        """Ask a zygote for a run; None where it has died."""
        data, child_data = socket.socketpair()
        control, child_control = socket.socketpair()
        with child_data, child_control:
            run = _Run(ticket, data, control)
            try:
                with self._lock:
                    socket.send_fds(requests, [b"r"], [child_data.fileno(), child_control.fileno()])
            except OSError:
                run.close()
                return None
        return run

    def discard(self, tool: str, requests: socket.socket) -> None:
        """End the zygote that gave no run, so that the next one is another."""
        with self._lock:
            process, present = self._running.get(tool, (None, None))
            if process is None or present is not requests:  # another thread has replaced it
                return
            del self._running[tool]
        requests.close()
        process.kill()
        process.wait()

    def close(self) -> None:
        """End the zygotes and what runs under them."""
        if self._owner != os.getpid():
            return
        for process, requests in self._running.values():
            requests.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
        self._running.clear()


def _start(probe: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    requests, theirs = socket.socketpair()
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.scanners.zygotes", probe],
            cwd=_ROOT,
            env=kept | _SINGLE,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    return process, requests


class _Run:
    """One run under way; closing it kills its process where that has not ended."""

    def __init__(self, ticket: Ticket, data: socket.socket, control: socket.socket) -> None:
        self._ticket = ticket
        self._data = data
        self._control = control
        self._step = ""
        self._started = False

    def close(self) -> None:
        self._data.close()
        self._control.close()

    def result(self, on_tick: OnTick | None, cancelled: threading.Event | None) -> Artefact | None:
        """Send the ticket and wait; None where the zygote was gone before it began. Raises what `on_tick` raises."""
        end = time.monotonic() + _START_SECONDS
        due = 0.0
        try:
            self._send()
            for line in self._lines():
                now = time.monotonic()
                if cancelled is not None and cancelled.is_set():
                    return self._failed(_CANCELLED)
                if line is not None:
                    artefact = self._take(line)
                    if artefact is not None:
                        return artefact
                    due = 0.0
                    if not self._started:
                        self._started, end = True, now + self._ticket.seconds + GRACE_SECONDS
                if now > end:
                    return self._failed(_TOO_LONG)
                if on_tick is not None and now >= due:
                    on_tick(self._step)
                    due = now + _TICK_SECONDS
        except OSError:
            return self._failed("The scan's process gave no answer") if self._started else None
        except (ValueError, TypeError):
            return self._failed("The scan's process gave no readable answer")
        return self._failed(self._why_ended()) if self._started else None

    def _send(self) -> None:
        body = json.dumps(asdict(self._ticket)).encode()
        self._data.settimeout(_START_SECONDS)
        self._data.sendall(len(body).to_bytes(8, "big") + body)

    def _lines(self) -> Iterator[bytes | None]:
        """Yield each line as it comes, None while none does, until the far end closes. ValueError: past the cap."""
        waiting, received = b"", 0
        self._data.settimeout(_LOOK_SECONDS)
        while True:
            try:
                more = self._data.recv(65536)
            except TimeoutError:
                yield None
                continue
            if not more:
                return
            received += len(more)
            if received > OUTPUT_BYTES + 65536:
                raise ValueError("too much output")
            *lines, waiting = (waiting + more).split(b"\n")
            yield from lines

    def _take(self, line: bytes) -> Artefact | None:
        content = json.loads(line)
        if not isinstance(content, dict):
            raise ValueError("no object")
        if "artefact" in content:
            return read_artefact(content["artefact"])
        self._step = str(content.get("step", ""))[:100]
        return None

    def _why_ended(self) -> str:
        self._control.settimeout(2)
        try:
            status = int(self._control.recv(16) or b"1")
        except (OSError, ValueError):
            status = 1
        return _ENDED.get(status, "The scan's process ended before it was done")

    def _failed(self, why: str) -> Artefact:
        return Artefact(self._ticket.tool, failure=why)


_DEFAULT = _Zygotes()
atexit.register(_DEFAULT.close)


if __name__ == "__main__":
    asked = read_ticket(sys.stdin.buffer.read())
    run_confined(asked, load_probe(TOOLS[asked.tool].probe), lambda line: write_all(1, line))
