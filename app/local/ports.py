"""Ports on the loopback address: which are free, and which this checkout uses from run to run."""

import contextlib
import errno
import itertools
import json
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from app.local.children import LocalError, command_of
from app.local.keys import write_private

WEB = 8000
# Ports below those that systems give away themselves (from 32768 on): so many turns of so many processes.
_LEAST, _TURNS, _STRIDE = 20_000, 190, 64
_turn = itertools.count(secrets.randbelow(_TURNS))


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of localhost now."""
    return all(_bindable(family, address, port) for family, address in _LOCALHOST)


_LOCALHOST = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def _bindable(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        probe = socket.socket(family)
    except OSError:  # the machine does not speak IPv6
        return True
    with closing(probe):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            return family == socket.AF_INET6 and error.errno == errno.EADDRNOTAVAIL
    return True


def free_port() -> int:
    """A port that nobody listens on at this moment, and that is not soon given to somebody else.

    It is none of those that the system gives to whoever names none, and neither twice the same in this process nor one
    of those that a process started beside it would choose.
    """
    for _ in range(_TURNS):
        port = _LEAST + next(_turn) % _TURNS * _STRIDE + os.getpid() % _STRIDE
        if is_free(port):
            return port
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listen(port: int) -> socket.socket | None:
    """A socket that listens on `port`; None when the port is taken."""
    if not is_free(port):
        return None
    try:
        return socket.create_server(("127.0.0.1", port), backlog=2048)
    except OSError:
        return None


class Ports:
    """The ports of this checkout, by name, kept in a file so that addresses stay the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._kept: dict[str, int] = json.loads(path.read_text())
        except (OSError, ValueError):
            self._kept = {}

    def of(self, name: str) -> int:
        """The port of `name`: the one it had if that is free, else another."""
        port = self._kept.get(name)
        if port is None or not is_free(port):
            port = free_port()
        return self._keep(name, port)

    def kept(self, name: str) -> int:
        """The port that `name` has had; 0 where it never had one."""
        return self._kept.get(name, 0)

    def web(self, wanted: str | None, say: Callable[[str], None]) -> socket.socket:
        """A socket that listens for the web process, so that nobody can come between choosing and using the port.

        Its port is exactly `wanted` when given, else the last one, 8000, or the next free, which it says.
        Raises LocalError that names a wanted port that is taken and who has it.
        """
        if wanted:
            if not wanted.isdigit() or not 0 < int(wanted) < 65536:
                raise LocalError(f"PORT={wanted} is no port: give a number from 1 to 65535")
            listening = _listen(int(wanted))
            if listening is None:
                raise LocalError(
                    f"port {wanted} is taken{_by(int(wanted))}: stop that program, or choose another with PORT="
                )
            return listening
        usual = self._kept.get("web", WEB)
        for port in dict.fromkeys((usual, *range(WEB, WEB + 100))):
            listening = _listen(port)
            if listening is not None:
                self._keep("web", port)
                return listening
            if port == usual:
                say(f"port {usual} is taken{_by(usual)}: using another")
        raise LocalError(f"ports {WEB} to {WEB + 99} are all taken: choose another with PORT=")

    def _keep(self, name: str, port: int) -> int:
        if self._kept.get(name) != port:
            self._kept[name] = port
            write_private(self._path, json.dumps(self._kept))
        return port


def _by(port: int) -> str:
    """Who listens on `port`, in words; empty where the system does not tell."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        if inodes & _open_in(process):
            pid = int(process.name)
            return f" by process {pid} ({(command_of(pid) or '?').strip()[:60]})"
    return ""


def _open_in(process: Path) -> set[str]:
    """What a process has open, as the system names it; nothing where it is another's, or ends meanwhile."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(descriptor.readlink()))
    return found
