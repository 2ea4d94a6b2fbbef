"""Keeps the parts of a local installation running: starts again what ended, stops all in order."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.local.children import LocalError, remember
from app.local.programs import Part, Program

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_AFTER = 60.0
LARGEST_LOG = 10_000_000


@dataclass
class _Tended:
    """A part, and when it was and will be started."""

    part: Part
    started: float
    pause: float = FIRST_PAUSE
    due: float | None = None


class Supervisor:
    """The parts that run, in the order in which they were started."""

    def __init__(self, state: Path, say: Callable[[str], None]) -> None:
        self._say = say
        self._logs = state / "log"
        self._register = state / "children.json"
        self._tended: list[_Tended] = []

    def start(self, part: Part) -> None:
        """Start `part` and tend it from now on. Raises LocalError."""
        log = self._log(part)
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".old.log"))
        self._tended.append(_Tended(part, time.monotonic()))
        part.spawn(log)
        self._remember()

    def tend(self) -> None:
        """Look at every part once: say which ended, and start those again whose pause is over."""
        now = time.monotonic()
        for tended in self._tended:
            child = tended.part.child
            if tended.due is None and child is not None and not child.running():
                if now - tended.started > STEADY_AFTER:
                    tended.pause = FIRST_PAUSE
                status = child.process.returncode
                child.kill()  # what it left in its session
                tended.due = now + tended.pause
                self._say(
                    f"{tended.part.name} ended ({_status(status)}): starting it again in {tended.pause:g} s; "
                    f"its log is {child.log}"
                )
                tended.pause = min(tended.pause * 2, LONGEST_PAUSE)
            if tended.due is not None and now >= tended.due:
                self._start_again(tended)

    def _start_again(self, tended: _Tended) -> None:
        tended.due = None
        tended.started = time.monotonic()
        try:
            tended.part.spawn(self._log(tended.part))
        except LocalError as error:
            tended.due = time.monotonic() + tended.pause
            self._say(str(error))
        self._remember()

    def stop(self, patience: float = 12.0) -> None:
        """Stop every part, the last started first; our own programs together, then the servers beneath them."""
        for tended in reversed(self._tended):
            child = tended.part.child
            if child and child.running() and isinstance(tended.part, Program):
                child.process.send_signal(child.leave)
        deadline = time.monotonic() + patience
        for tended in reversed(self._tended):
            if tended.part.child:
                tended.part.child.stop(max(1.0, deadline - time.monotonic()))
        self._register.unlink(missing_ok=True)

    def _log(self, part: Part) -> Path:
        return self._logs / f"{part.name}.log"

    def _remember(self) -> None:
        remember(self._register, [t.part.child for t in self._tended if t.part.child])


def _status(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"status {code}"
