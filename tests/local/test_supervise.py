"""Processes that we start: bound to us, started again when they end, found by a later run."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.local.children import LocalError, birth, end_survivors, remember, spawn
from app.local.locks import RunLock
from app.local.programs import Program, of_procfile
from app.local.supervise import Supervisor
from tests.peers.patience import ended, within

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


def test_a_killed_part_is_started_again_and_named(tmp_path: Path) -> None:
    """A part that is killed runs again after a pause; one line says so and names its log."""
    said: list[str] = []
    supervisor = Supervisor(tmp_path, said.append)
    part = Program("worker", SLEEP, dict(os.environ))
    supervisor.start(part)
    assert part.child is not None
    first = part.child.process.pid
    os.kill(first, signal.SIGKILL)

    def again() -> bool:
        return part.child is not None and part.child.process.pid != first and part.child.running()

    assert within(60, again, supervisor.tend)
    assert len(said) == 1
    assert "worker ended (killed by signal 9)" in said[0]
    assert "worker.log" in said[0]
    supervisor.stop()


def test_a_part_that_keeps_ending_is_started_ever_more_rarely(tmp_path: Path) -> None:
    """The pause doubles, so that a broken part does not burn the machine."""
    said: list[str] = []
    supervisor = Supervisor(tmp_path, said.append)
    supervisor.start(Program("web", [sys.executable, "-S", "-c", "raise SystemExit(3)"], dict(os.environ)))
    assert within(60, lambda: len(said) == 3, supervisor.tend)
    supervisor.stop()
    assert [line.split("again in ")[1].split(" s")[0] for line in said] == ["0.5", "1", "2"]
    assert "status 3" in said[0]


def test_stop_ends_everything_even_what_does_not_listen(tmp_path: Path) -> None:
    """A part that ignores its signal is ended with its children when the patience is over."""
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "p = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])\n"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    supervisor = Supervisor(tmp_path, print)
    supervisor.start(Program("deaf", [sys.executable, "-S", "-c", code], dict(os.environ)))
    log = tmp_path / "log" / "deaf.log"
    assert within(60, lambda: log.exists() and log.read_text().strip().isdigit())
    supervisor.stop(patience=0.5)
    assert ended(int(log.read_text()))
    assert not (tmp_path / "children.json").exists()


def test_a_part_that_does_not_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    """Waiting for a part that ends raises one line with what it said last."""
    code = "print('SECRET_KEY is missing'); raise SystemExit(1)"
    part = Program("web", [sys.executable, "-S", "-c", code], dict(os.environ), url="http://127.0.0.1:1/")
    part.spawn(tmp_path / "web.log")
    with pytest.raises(LocalError, match="web does not start: SECRET_KEY is missing"):
        part.wait()


def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    """kill -9 of the one who started them ends the children (Linux)."""
    code = (
        "import sys, time; from pathlib import Path; from app.local.children import spawn\n"
        f"c = spawn('one', {SLEEP!r}, log=Path({str(tmp_path / 'log')!r}))\n"
        "print(c.process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    assert ended(pid)


def test_survivors_of_an_earlier_run_are_ended(tmp_path: Path) -> None:
    """What an earlier run wrote down and left alive is ended, deaf or not; a pid used again is left alone."""
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
    )
    deaf = spawn("deaf", [sys.executable, "-S", "-c", code], log=tmp_path / "deaf.log")
    other = subprocess.Popen(SLEEP)
    assert within(60, lambda: "on" in (tmp_path / "deaf.log").read_text())
    register = tmp_path / "children.json"
    remember(register, [deaf])
    rows = json.loads(register.read_text())
    register.write_text(json.dumps([*rows, {"name": "reused", "pid": other.pid, "birth": "another time"}]))
    assert end_survivors(register, patience=0.3) == ["deaf"]
    assert deaf.process.wait(60) == -signal.SIGKILL
    assert other.poll() is None
    assert birth(other.pid)
    other.kill()
    other.wait()


def test_the_run_lock_falls_with_its_holder(tmp_path: Path) -> None:
    """A second run is refused by name; kill -9 of the first frees the lock."""
    path = tmp_path / "run.lock"
    code = (
        "import time; from pathlib import Path; from app.local.locks import RunLock\n"
        f"lock = RunLock(Path({str(path)!r})); lock.take(); print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(LocalError, match=rf"already runs from this checkout \(process {holder.pid}"):
        RunLock(path).take(patience=0.2)
    holder.kill()
    holder.communicate()
    lock = RunLock(path)
    lock.take(patience=0.2)
    lock.free()


def test_the_procfile_names_both_processes() -> None:
    """The commands of web and worker come from the Procfile; another name is an error with its remedy."""
    text = Path("Procfile").read_text()
    assert "gunicorn wsgi:app" in of_procfile("web", text)[2]
    assert of_procfile("worker", text)[2] == "exec python -m app.worker"
    with pytest.raises(LocalError, match="git checkout Procfile"):
        of_procfile("mail", text)
