"""What a process keeps for a moment, to write it in one batch."""

import atexit
import threading
from abc import ABC, abstractmethod

from app.db.units import Units


class Batches(ABC):
    """Things that are kept under `_lock` until `flush` writes them; a process that is killed loses what it keeps.

    A timer begins with the first thing that is kept (so after a fork) and ends with its batch.
    """

    def __init__(self, units: Units, seconds: float) -> None:
        """Write by `units`, a batch `seconds` after the first thing that is in it."""
        self._units = units
        self._seconds = seconds
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._timer: threading.Timer | None = None
        self._at_exit = self._ending = False

    @abstractmethod
    def flush(self) -> None:
        """Write what is kept, now."""

    def _begin_timer(self, *, hurry: bool = False) -> None:
        """Have what is kept written in time or, in a `hurry`, at once; at the latest when the process ends.

        Called under `_lock`.
        """
        if not self._at_exit:
            self._at_exit = True
            atexit.register(self._end)
        if hurry:
            self._end_timer()
        if self._timer is None:
            self._timer = threading.Timer(0 if hurry else self._seconds, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def _end_timer(self) -> None:
        """Begin a batch: what is kept from now on has its own time; called under `_lock`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        """Write the last batch; where that fails, nobody is left to be told."""
        self._ending = True
        self.flush()
