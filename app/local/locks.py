"""One `run` at a time in a checkout."""

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TextIO

from app.local.children import LocalError


class RunLock:
    """The lock that a running installation holds; the kernel drops it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._held = False

    def take(self, patience: float = 3.0, while_stopping: float = 40.0) -> None:
        """Take the lock, waiting for a run that is about to stop. Raises LocalError that names the other run."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+")
        started = time.monotonic()
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                said = self._path.read_text().strip()
                waited = time.monotonic() - started
                if waited > (while_stopping if said.startswith("stopping") else patience):
                    raise LocalError(f"Sentinel already runs from this checkout ({said}): stop it first") from None
                time.sleep(0.1)
        self._held = True
        self.note(f"process {os.getpid()}")

    def note(self, text: str) -> None:
        """Leave a word for whoever finds the lock taken."""
        if self._file and self._held:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(text)
            self._file.flush()

    def free(self) -> None:
        """Give the lock back."""
        if self._file:
            with contextlib.suppress(OSError):
                self.note("")
            self._file.close()
            self._file, self._held = None, False
