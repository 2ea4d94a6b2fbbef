"""The sandbox: whatever happens in a probe, an artefact comes back, and nothing stays behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import MappingProxyType

import pytest

from app.scanners import sandbox
from app.scanners.catalogue import TOOLS, Tool
from app.scanners.confinement import OUTPUT_BYTES, artefact_line
from app.scanners.probes import Artefact, Ticket
from app.scanners.sandbox import run_probe

_TEST_TOOL = Tool("test", "Test", "Misbehaves.", ("document",), False, (), "tests.peers.misbehaving:act")


@pytest.fixture(autouse=True)
def _with_test_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "TOOLS", MappingProxyType({**TOOLS, "test": _TEST_TOOL}))


def _ticket(deed: str, seconds: float = 60) -> Ticket:
    return Ticket("scan", "test", document=deed, seconds=seconds)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # the latter where it ends while it is looked at
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("raise", "broke off (RuntimeError)"),
        ("crash", "crashed"),
        ("exit", "ended before it was done"),
        ("spin", "processor time"),
        ("eat", "more memory"),
        ("gush", "no readable answer"),
        ("babble", "no readable answer"),
        ("write", "broke off (OSError)"),
    ],
)
def test_a_probe_that_misbehaves_is_a_failed_artefact(deed: str, reason: str) -> None:
    """An exception, a crash, an exit, and every limit end as an artefact that says what happened, and no more."""
    artefact = run_probe(_ticket(deed))
    assert artefact.failure is not None
    assert reason in artefact.failure
    assert "s3cr3t" not in artefact.failure


def test_a_probe_that_hangs_is_ended_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock ends a probe a grace after its ticket's seconds, whatever it ignores."""
    monkeypatch.setattr(sandbox, "GRACE_SECONDS", 0.5)
    began = time.monotonic()
    artefact = run_probe(_ticket("hang", seconds=0.5))
    assert artefact.failure == "The scan took longer than it may"
    assert time.monotonic() - began < 60


def test_cancelling_kills_the_process_at_once() -> None:
    """Long before the ticket's time is over the call has returned and the process is gone."""
    cancelled, pids = threading.Event(), []
    before = _children_of_zygotes()

    def tick(step: str) -> None:
        if step == "hang" and not cancelled.is_set():
            pids.extend(_children_of_zygotes() - before)
            cancelled.set()

    began = time.monotonic()
    artefact = run_probe(_ticket("hang", seconds=600), on_tick=tick, cancelled=cancelled)
    assert artefact.failure == "The scan was cancelled"
    assert time.monotonic() - began < 60
    assert len(pids) == 1
    _gone(pids[0])


def test_an_exception_in_the_listener_kills_the_process() -> None:
    """What `on_tick` raises comes through, and the process does not outlive it."""
    pids: list[int] = []
    before = _children_of_zygotes()

    def tick(step: str) -> None:
        if step == "hang":
            pids.extend(_children_of_zygotes() - before)
            raise KeyError("enough")

    with pytest.raises(KeyError):
        run_probe(_ticket("hang", seconds=60), on_tick=tick)
    assert len(pids) == 1
    _gone(pids[0])


def test_more_than_a_megabyte_is_cut_and_called_partial() -> None:
    """An artefact that is too long for one answer comes back shorter, marked as partly scanned."""
    artefact = run_probe(_ticket("flood"))
    assert artefact.failure is None
    assert artefact.partial
    assert 0 < len(artefact.faults) < 1000
    assert len(artefact_line(artefact)) <= OUTPUT_BYTES


def test_any_artefact_fits_one_answer() -> None:
    """Long notes, observations and failures are cut as well."""
    long = Artefact("test", notes=["n" * 2_000_000], observed={"k": "v" * 2_000_000}, failure="f" * 2_000_000)
    assert len(artefact_line(long)) <= OUTPUT_BYTES


def test_the_process_has_no_environment_and_no_descriptors_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret of our environment and no open file or socket of ours reaches the probe; limits hold there."""
    monkeypatch.setenv("MASTER_KEY", "s3cr3t")
    observed = run_probe(_ticket("look")).observed
    assert set(observed["environment"].split(",")) <= {*sandbox._PASSED_ON, *sandbox._SINGLE, "LC_CTYPE"}
    assert set(observed["open"].split(",")) <= {"0", "1", "2", "3", "4"}  # 4 lists the folder
    assert observed["RLIMIT_AS"] == str(1 << 30)
    assert observed["RLIMIT_CORE"] == "0"


def test_a_killed_zygote_is_replaced() -> None:
    """When the process that forks is killed, the next run has another."""
    run_probe(_ticket("look"))
    process, _ = sandbox._DEFAULT._running["test"]
    process.kill()
    assert run_probe(_ticket("look")).failure is None
    process, _ = sandbox._DEFAULT._running["test"]
    process.send_signal(signal.SIGSTOP)
    process.kill()
    process.wait(60)
    assert run_probe(_ticket("look")).failure is None


def test_runs_at_once_do_not_mix() -> None:
    """Eight threads get eight different processes' answers, and one that crashes harms no other."""
    results: list[Artefact] = []
    deeds = ["look", "crash"] * 4
    threads = [threading.Thread(target=lambda deed=deed: results.append(run_probe(_ticket(deed)))) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert len({result.observed["pid"] for result in results if result.failure is None}) == 4
    assert sum(result.failure is not None for result in results) == 4


def test_nothing_outlives_the_process_that_asked() -> None:
    """A worker that is killed with -9 takes its zygote and the running probe with it."""
    code = (
        "import sys; from types import MappingProxyType; from app.scanners import sandbox; "
        "from tests.scanners.test_sandbox import _TEST_TOOL, _ticket; "
        "sandbox.TOOLS = MappingProxyType({'test': _TEST_TOOL}); "
        "sandbox.run_probe(_ticket('hang', 60), on_tick=lambda step: step and print("
        "sandbox._DEFAULT._running['test'][0].pid, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        zygote = int(worker.stdout.readline())
        child = next(iter(_children(zygote)))
        worker.kill()
    _gone(zygote)
    _gone(child)


def test_the_plain_way_reads_a_ticket_and_writes_an_artefact() -> None:
    """`python -m app.scanners.sandbox` takes JSON on standard input and ends its output with the artefact."""
    ticket = json.dumps({"scan_id": "scan", "tool": "posture", "target": "http://127.0.0.1:9999/"})
    command = [sys.executable, "-m", "app.scanners.sandbox"]
    done = subprocess.run(command, input=ticket, capture_output=True, text=True, timeout=60, check=True)
    artefact = json.loads(done.stdout.splitlines()[-1])["artefact"]
    assert "address" in artefact["failure"]


def _children_of_zygotes() -> set[int]:
    return {pid for process, _ in sandbox._DEFAULT._running.values() for pid in _children(process.pid)}


def _children(pid: int) -> set[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return set()
    return {int(child) for child in listed.split()}


def _gone(pid: int) -> None:
    end = time.monotonic() + 60
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not _alive(pid), os.getpid()
