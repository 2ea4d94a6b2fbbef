"""Our own processes as parts of a local installation: web, worker, demonstration target."""

import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from app.local.children import Child, LocalError, spawn

ROOT = Path(__file__).resolve().parents[2]


class Part(Protocol):
    """Something that runs: it is started, waited for, started again when it ends, and stopped."""

    name: str
    child: Child | None

    def spawn(self, log: Path) -> None:
        """Start it without waiting. Raises LocalError."""

    def wait(self, patience: float = 60.0) -> None:
        """Return when it does its work. Raises LocalError when it ends or takes too long."""


@dataclass
class Program:
    """A process of ours; with a `url`, it works once that answers anything but a server error."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    url: str | None = None
    keep_open: tuple[int, ...] = ()
    child: Child | None = field(default=None, init=False)

    def spawn(self, log: Path) -> None:
        """Start the process."""
        self.child = spawn(
            self.name, self.command, log=log, environment=self.environment, directory=ROOT, keep_open=self.keep_open
        )

    def wait(self, patience: float = 90.0) -> None:
        """Return when the process answers. Raises LocalError with its last words when it ends first."""
        deadline = time.monotonic() + patience
        while self.url is not None and not _answers(self.url):
            child = self.child
            if child is None or not child.running():
                raise LocalError(f"{self.name} does not start: {child.last_words() if child else 'it was not started'}")
            if time.monotonic() > deadline:
                raise LocalError(f"{self.name} does not answer within {patience:.0f} s: see {child.log}")
            time.sleep(0.05)


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (urllib.error.URLError, OSError):
        return False


def of_procfile(name: str, text: str) -> list[str]:
    """The command of process type `name` in a Procfile, for a shell to fill in its variables. Raises LocalError."""
    for line in text.splitlines():
        kind, colon, command = line.partition(":")
        if colon and kind.strip() == name:
            return ["sh", "-c", f"exec {command.strip()}"]
    raise LocalError(f"the Procfile has no process type {shlex.quote(name)}: restore it with `git checkout Procfile`")
