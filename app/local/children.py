"""Processes that we start: bound to us, in a session of their own, with a log file each."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_BOUND = Path(__file__).with_name("bound.py")
_PROC = Path("/proc/self")


class LocalError(Exception):
    """A part of the local set-up is missing or broken; the text names it and its remedy in one line."""


@dataclass(frozen=True)
class Child:
    """A running child and how it is asked to leave."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    leave: signal.Signals

    def running(self) -> bool:
        """Whether the process still lives."""
        return self.process.poll() is None

    def stop(self, patience: float = 10.0) -> None:
        """Ask the child to leave, and end its whole session after `patience` seconds."""
        if self.running():
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(self.leave)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        self.kill()

    def kill(self) -> None:
        """End the child and all of its session with SIGKILL, and reap it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def last_words(self, lines: int = 3) -> str:
        """The last lines of the child's log, joined."""
        try:
            text = self.log.read_bytes()[-4096:].decode(errors="replace")
        except OSError:
            return ""
        return " | ".join(line.strip() for line in text.strip().splitlines()[-lines:])


@dataclass
class Server:
    """A server that runs as a child of ours once it was started."""

    child: Child | None = field(default=None, init=False)

    def stop(self) -> None:
        """Ask the server to leave, and see to it that it does."""
        if self.child:
            self.child.stop()

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        if self.child:
            self.child.kill()


def spawn(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    leave: signal.Signals = signal.SIGTERM,
    directory: Path | None = None,
    keep_open: Sequence[int] = (),
) -> Child:
    """Start `command`, bound to this process, writing to `log`; it inherits the descriptors `keep_open`.

    Call it from the main thread: the kernel ties the child to the thread that started it.
    Raises LocalError when the program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    bound = [sys.executable, "-I", "-S", str(_BOUND), str(os.getpid()), str(int(leave)), *command]
    with log.open("ab") as out:
        try:
            process = subprocess.Popen(
                bound,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=directory,
                start_new_session=True,
                pass_fds=keep_open,
            )
        except OSError as error:
            raise LocalError(f"{name} does not start: {error}") from error
    return Child(name, process, log, leave)


def birth(pid: int) -> str | None:
    """When the process `pid` was started, as the system words it; None when there is no such process.

    With the pid it names one process: pids are used again.
    """
    if _PROC.exists():
        try:
            return (_PROC.parent / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
        except OSError:
            return None
    return _ps("lstart", pid)


def command_of(pid: int) -> str | None:
    """The command line of the process `pid`; None when there is no such process."""
    if _PROC.exists():
        try:
            return (_PROC.parent / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return None
    return _ps("command", pid)


def _ps(column: str, pid: int) -> str | None:
    found = subprocess.run(
        ["ps", "-ww", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def remember(register: Path, children: Sequence[Child]) -> None:
    """Write down which children run, for a later run to stop should this one be killed."""
    rows = [{"name": c.name, "pid": c.process.pid, "birth": birth(c.process.pid)} for c in children if c.running()]
    draft = register.with_suffix(".new")
    draft.write_text(json.dumps(rows))
    draft.replace(register)


def end_survivors(register: Path, patience: float = 8.0) -> list[str]:
    """Stop what an earlier run left behind; return the names of those that were still alive."""
    try:
        rows = json.loads(register.read_text())
    except (OSError, ValueError):
        return []
    alive = [row for row in rows if row["birth"] and birth(row["pid"]) == row["birth"]]
    survivors = [row["name"] for row in alive]
    for row in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(row["pid"], signal.SIGINT if row["name"] == "postgres" else signal.SIGTERM)
    deadline = time.monotonic() + patience
    while alive and time.monotonic() < deadline:
        time.sleep(0.1)
        alive = [row for row in alive if birth(row["pid"]) == row["birth"]]
    for row in alive:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(row["pid"], signal.SIGKILL)
    register.unlink(missing_ok=True)
    return survivors
