"""`python -m tests.peers.sleepers`: the worker process with a probe that waits 50 ms and finds nothing."""

import threading
import time
from collections.abc import Callable

import app.worker
from app.scanners.probes import Artefact, Ticket

SECONDS = 0.05


def doze(ticket: Ticket, stop: threading.Event, tell: Callable[[str], None]) -> Artefact:
    """Stand for a probe whose time goes by in waiting for its target."""
    time.sleep(SECONDS)
    return Artefact(ticket.tool)


if __name__ == "__main__":
    app.worker._run_probe = doze
    app.worker.main()
