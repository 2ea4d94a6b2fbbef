"""One probe inside a process of its own that has little: limits on memory, time, files and output, and then it ends."""

import contextlib
import ctypes
import json
import math
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from app.scanners.catalogue import Probe
from app.scanners.probes import Artefact, Fault, Severity, Ticket
from app.scanners.progress import listening

MEMORY_BYTES = 1 << 30
OUTPUT_BYTES = 1_000_000
GRACE_SECONDS = 5.0
_OPEN_FILES = 64
_PR_SET_PDEATHSIG = 1
_PARTLY = "More was found than one answer holds; the rest was left out"


def confine(seconds: float) -> None:
    """Take from this process, for good, what a probe of so many seconds does not need; the kernel enforces it."""
    cpu = max(10, math.ceil(seconds))
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 2 * OUTPUT_BYTES,
    }
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS has no RLIMIT_AS
            # at the soft limit of processor time comes SIGXCPU, which tells its reason; at the hard one SIGKILL
            resource.setrlimit(kind, (most, most + 2 if kind == resource.RLIMIT_CPU else most))
    _die_with_parent()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + 2 * GRACE_SECONDS)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def run_confined(ticket: Ticket, probe: Probe, write: Callable[[bytes], object]) -> None:
    """Confine this process, run the probe, write one JSON object a line: each step, at last the artefact."""

    def tell(step: str) -> None:
        write(_line({"step": step}))

    tell("")
    try:
        confine(ticket.seconds)
        with listening(tell):
            artefact = probe(ticket)
    except MemoryError:
        artefact = Artefact(ticket.tool, failure="The scan needed more memory than it may have")
    except Exception as error:
        artefact = Artefact(ticket.tool, failure=f"The scan broke off ({type(error).__name__})")
    write(artefact_line(artefact))


def artefact_line(artefact: Artefact) -> bytes:
    """Return the artefact as one line of at most OUTPUT_BYTES; what does not fit is left out, the mildest first."""
    line = _line({"artefact": asdict(artefact)})
    if len(line) > OUTPUT_BYTES:
        order = [severity.value for severity in Severity]
        worst_first = sorted(artefact.faults, key=lambda fault: order.index(Severity(fault.severity)))
        artefact = replace(artefact, faults=worst_first)
    while len(line) > OUTPUT_BYTES:
        kept = artefact.faults[: len(artefact.faults) // 2]
        short = {key[:100]: value[:1000] for key, value in list(artefact.observed.items())[:20]}
        notes = [note[:1000] for note in artefact.notes if note != _PARTLY][:20]
        if not artefact.faults:  # then what is left is long in itself
            kept, short, notes = [], {}, []
        failure = artefact.failure[:1000] if artefact.failure else None
        artefact = replace(
            artefact, faults=kept, partial=failure is None, notes=[*notes, _PARTLY], observed=short, failure=failure
        )
        line = _line({"artefact": asdict(artefact)})
    return line


def read_ticket(data: bytes) -> Ticket:
    """Return the ticket that JSON holds. Raises ValueError or TypeError where it is none."""
    return Ticket(**_known(Ticket, json.loads(data)))


def read_artefact(given: Mapping[str, Any]) -> Artefact:
    """Return the artefact that was read from a line. Raises ValueError or TypeError where it is none."""
    known = _known(Artefact, given)
    known["faults"] = [Fault(**_known(Fault, fault)) for fault in known.get("faults", [])]
    return Artefact(**known)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte to a descriptor. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _known(kind: type, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValueError(f"no {kind.__name__}")
    names = {field.name for field in fields(kind)}
    return {key: value for key, value in given.items() if key in names}


def _line(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
