"""Probes that do what hostile input might make one do; they run in the sandbox's process."""

import os
import resource
import signal
import time
from pathlib import Path

from app.scanners.probes import Artefact, Fault, Ticket
from app.scanners.progress import report_step


def act(ticket: Ticket) -> Artefact:
    """Do what the ticket's document names."""
    report_step(str(ticket.document))
    return _DEEDS[str(ticket.document)](ticket)


def _answer(ticket: Ticket, **changes: object) -> Artefact:
    return Artefact(ticket.tool, **changes)  # type: ignore[arg-type]


def _raise(ticket: Ticket) -> Artefact:
    raise RuntimeError("a secret that must not get out: s3cr3t")


def _crash(ticket: Ticket) -> Artefact:
    os.kill(os.getpid(), signal.SIGSEGV)
    return _answer(ticket)


def _exit(ticket: Ticket) -> Artefact:
    os._exit(0)


def _hang(ticket: Ticket) -> Artefact:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
    return _answer(ticket)


def _spin(ticket: Ticket) -> Artefact:
    resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
    while True:
        pass


def _eat(ticket: Ticket) -> Artefact:
    parts = [bytearray(64 << 20) for _ in range(100)]
    return _answer(ticket, notes=[str(len(parts))])


def _flood(ticket: Ticket) -> Artefact:
    fault = Fault("rule", "title", "low", "x" * 10_000, "remedy", "place")
    return _answer(ticket, faults=[fault] * 1000)


def _gush(ticket: Ticket) -> Artefact:
    while True:
        os.write(3, b"x" * 65536)


def _babble(ticket: Ticket) -> Artefact:
    os.write(3, b"no json\n")
    return _answer(ticket)


def _look(ticket: Ticket) -> Artefact:
    limits = {name: resource.getrlimit(getattr(resource, name))[0] for name in ("RLIMIT_AS", "RLIMIT_CORE")}
    observed = {
        "environment": ",".join(sorted(os.environ)),
        "pid": str(os.getpid()),
        **{k: str(v) for k, v in limits.items()},
    }
    return _answer(
        ticket, observed=observed | {"open": ",".join(sorted(path.name for path in Path("/proc/self/fd").iterdir()))}
    )


def _write(ticket: Ticket) -> Artefact:
    with Path(f"/tmp/sandbox-{os.getpid()}").open("wb") as file:
        Path(file.name).unlink()
        file.write(bytes(10_000_000))
    return _answer(ticket)


_DEEDS = {name[1:]: deed for name, deed in list(globals().items()) if name.startswith("_") and callable(deed)}
