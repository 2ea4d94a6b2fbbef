"""A thread of the worker that does its piece of work again and again, until it is stopped."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.orm import Session

from app.db.units import Units
from app.services.turns import Turns

Due = TypeVar("Due")
log = structlog.get_logger(__name__)


class Loop(ABC):
    """What fails is logged by its name alone and tried anew with the next turn, so that a loop never ends by itself."""

    def __init__(self, units: Units, name: str, *, seconds: float) -> None:
        self._units = units
        self._name = name
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more; return when the present piece is done, after five seconds at most."""
        self._stop.set()
        self._thread.join(timeout=5)

    @abstractmethod
    def run_once(self) -> int:
        """Do what is due in this thread; return how much it was, 0 where nothing is left."""

    def turn(self) -> None:
        """Do all that is due."""
        while self.run_once() and not self.stopping:
            pass

    @property
    def stopping(self) -> bool:
        """Whether the worker leaves: what is not begun yet is left to others, or to the next start."""
        return self._stop.is_set()

    @contextmanager
    def directory(self) -> Iterator[Session]:
        """Open a transaction that belongs to nobody, for functions of the directory; committed unless it fails."""
        with self._units.identify() as door:
            yield door.session
            door.commit()

    def each(
        self, turns: Turns[Due], question: Callable[[Session, int], list[Due]], most: int, do: Callable[[Due], bool]
    ) -> int:
        """Do at most `most` of what the question finds, in turns; return how much was done, as `do` says."""
        with self.directory() as session:
            found = turns.take(partial(question, session), most)
        number = 0
        for due in found:
            if self.stopping:
                break
            done = do(due)
            turns.note(due, done=done)
            number += done
        return number

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self.turn()
            except Exception as error:  # whatever it is: without this loop its work is never done
                log.warning("loop.failed", loop=self._name, error=type(error).__name__)
                self.recover()

    def recover(self) -> None:  # noqa: B027 (most loops keep nothing between their turns)
        """Forget what a failed turn may have spoilt."""
