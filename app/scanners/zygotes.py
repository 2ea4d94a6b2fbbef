"""A process that has imported one tool and forks a confined child for each run, which is far quicker than importing.

It reads one byte with two descriptors per run from its standard input (a socket): the run's data (ticket in, lines out)
and its control. When the control's far end closes, the child is killed; when the child ends, its status goes there.
When standard input ends, everything ends.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
from dataclasses import dataclass

from app.scanners.catalogue import Probe, load_probe
from app.scanners.confinement import read_ticket, run_confined, write_all

MOST_TICKET = 4_000_000


@dataclass(frozen=True)
class _Child:
    pid: int
    control: socket.socket


def main(path: str) -> None:
    """Import the probe that `module:function` names, let its module warm up, serve runs until standard input ends."""
    requests = socket.socket(fileno=os.dup(0))
    probe = load_probe(path)
    warm = getattr(sys.modules[probe.__module__], "warm", None)
    if warm is not None:
        warm()
    gc.collect()
    gc.freeze()  # so that a child's collections copy none of these pages
    _Zygote(requests, probe).serve()


class _Zygote:
    def __init__(self, requests: socket.socket, probe: Probe) -> None:
        self._probe = probe
        self._requests = requests
        self._children: dict[int, _Child] = {}
        self._woken, waker = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(self._woken, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)

    def serve(self) -> None:
        while True:
            controls = {child.control.fileno(): child for child in self._children.values()}
            watched: list[socket.socket | int] = [self._requests, self._woken, *controls]
            ready, _, _ = select.select(watched, [], [])
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 4096)
            for descriptor in ready:
                if isinstance(descriptor, int) and descriptor in controls:
                    self._kill(controls[descriptor])
            self._reap()
            if self._requests in ready and not self._take():
                return

    def _take(self) -> bool:
        """Start one run; return whether there may be more."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._requests, 1, 2)
        except OSError:
            message, descriptors = b"", []
        if not message or len(descriptors) != 2:
            for child in self._children.values():
                self._kill(child)
            return False
        data, control = descriptors
        pid = os.fork()
        if pid == 0:
            _run(data, self._probe)
        os.close(data)
        self._children[pid] = _Child(pid, socket.socket(fileno=control))
        return True

    def _kill(self, child: _Child) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)

    def _reap(self) -> None:
        for child in list(self._children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                del self._children[pid]
                with contextlib.suppress(OSError):
                    child.control.sendall(b"%d" % os.waitstatus_to_exitcode(status))
                child.control.close()


def _run(data: int, probe: Probe) -> None:
    """Be the child: keep one descriptor, read the ticket, run it, and end without returning."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        os.dup2(data, 3)
        os.closerange(4, 4096)
        ticket = read_ticket(_read_sized(3))
        run_confined(ticket, probe, lambda line: write_all(3, line))
        status = 0
    finally:
        os._exit(status)


def _read_sized(descriptor: int) -> bytes:
    size = int.from_bytes(_read_exactly(descriptor, 8), "big")
    if size > MOST_TICKET:
        raise ValueError("the ticket is too long")
    return _read_exactly(descriptor, size)


def _read_exactly(descriptor: int, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        more = os.read(descriptor, size - len(parts))
        if not more:
            raise EOFError
        parts += more
    return bytes(parts)


if __name__ == "__main__":
    main(sys.argv[1])
