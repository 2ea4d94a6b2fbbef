"""Waiting for what comes about in its own time."""

import asyncio
import os
import time
from collections.abc import Callable


def within(seconds: float, fact: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> bool:
    """Tell whether `fact` becomes true in time."""
    deadline = time.monotonic() + seconds
    while True:
        meanwhile()
        if fact():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)


async def until(fact: Callable[[], bool], seconds: float = 90.0) -> None:
    """Return once `fact` is true. Raises AssertionError where it does not become true in time."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.02)


def ended(pid: int, seconds: float = 60.0) -> bool:
    """Tell whether the process is gone within `seconds`."""
    return within(seconds, lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
