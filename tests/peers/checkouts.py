"""Copies of this checkout, and `run` in them as a person at a terminal sees it."""

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.core.settings import Settings

ROOT = Path(__file__).parents[2]


def copy_checkout(target: Path, *, with_environment: bool) -> Path:
    """Copy what git knows, or would take, to `target`; link the virtual environment and what is built, if asked."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    if with_environment:
        (target / ".venv").symlink_to((ROOT / ".venv").resolve())
        for built in ("static/dist", "node_modules"):
            if (ROOT / built).exists():
                (target / built).symlink_to(ROOT / built)
    return target


def bare_environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of this process without any setting of Sentinel, and with `given`."""
    ours = {name.upper() for name in Settings.model_fields} | {"PORT", "MAKELEVEL", "MAKEFLAGS", "MFLAGS"}
    return {**{name: value for name, value in os.environ.items() if name not in ours}, **(given or {})}


@dataclass
class Run:
    """`python -m app.local run` in a checkout."""

    checkout: Path
    environment: Mapping[str, str]
    process: "subprocess.Popen[str]" = field(init=False)
    lines: list[str] = field(default_factory=list, init=False)
    _queue: "queue.Queue[str]" = field(default_factory=queue.Queue, init=False)

    def start(self) -> "Run":
        """Start it; its lines arrive in `lines` as they are waited for."""
        self.process = subprocess.Popen(
            [str(self.checkout / ".venv" / "bin" / "python"), "-m", "app.local", "run"],
            cwd=self.checkout,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip())

    def wait_for(self, text: str, seconds: float = 120.0) -> str:
        """The first line with `text`. Raises AssertionError with all that was printed when none comes in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.lines.append(self._queue.get(timeout=0.2))
            except queue.Empty:
                if self.process.poll() is not None and self._queue.empty():
                    break
                continue
            if text in self.lines[-1]:
                return self.lines[-1]
        logs = {path.name: path.read_text()[-1500:] for path in (self.checkout / ".local" / "log").glob("*.log")}
        raise AssertionError(f"no line with {text!r} in {self.lines}; logs: {json.dumps(logs, indent=1)}")

    def address(self) -> str:
        """Where the console answers, once it does."""
        return self.wait_for("Sentinel is at").rpartition(" ")[2]

    def health(self, address: str) -> int:
        """The status of its /health."""
        with urllib.request.urlopen(f"{address}/health", timeout=30) as answer:
            return int(answer.status)

    def children(self) -> dict[str, int]:
        """Its children's pids by name."""
        rows = json.loads((self.checkout / ".local" / "children.json").read_text())
        return {row["name"]: row["pid"] for row in rows}

    def stop(self, number: signal.Signals = signal.SIGINT, seconds: float = 90.0) -> int:
        """Send it a signal and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)
