"""`make run`: starts everything, says where it is, keeps it running until it is told to stop."""

import contextlib
import ctypes
import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from app.local import keys, roles
from app.local.children import Child, LocalError, end_survivors, spawn
from app.local.installation import DEMONSTRATION_EMAIL, Installation, plan
from app.local.locks import RunLock
from app.local.ports import Ports
from app.local.programs import ROOT, Program, of_procfile
from app.local.supervise import Supervisor

Say = Callable[[str], None]


class Stopped(BaseException):
    """Somebody asked us to stop."""


def run(state: Path) -> int:
    """Run the installation whose data is in `state` until a signal stops it; return the exit status."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)

    _on_signals(_raise)
    _end_with_make()
    lock = RunLock(state / "run.lock")
    supervisor = Supervisor(state, say)
    status = 0
    try:
        lock.take()
        for name in end_survivors(state / "children.json"):
            say(f"stopped {name}, which an earlier run had left")
        installation = plan(state, keys.load(state / "secrets.json"), os.environ, Ports(state / "ports.json"), say)
        lock.note(f"process {os.getpid()}, {installation.address}")
        _start(installation, supervisor, say)
        _serve(installation, supervisor, say)
    except LocalError as error:
        print(f"Sentinel cannot run: {error}", file=sys.stderr)
        status = 1
    except Stopped:
        say("stopping")
    finally:
        _on_signals(_ignore)
        with contextlib.suppress(OSError):
            lock.note(f"stopping process {os.getpid()}")
        supervisor.stop()
        lock.free()
    if status == 0:
        say("everything is stopped; your data is kept")
    return status


def _start(installation: Installation, supervisor: Supervisor, say: Say) -> None:
    """Start everything; what the console needs comes first, so that its address is printed soon."""
    if installation.temporal:
        supervisor.start(installation.temporal)
    if installation.postgres:
        _start_postgres(installation, supervisor, say)
    if installation.valkey:
        supervisor.start(installation.valkey)
        installation.valkey.wait()
        say("Valkey counts for all web processes")
    _migrate(installation, say)
    web = _web(installation)
    supervisor.start(web)
    web.wait()
    say(f"Sentinel is at {installation.address}")
    if installation.demonstration:
        password = installation.keys["DEMONSTRATION_PASSWORD"]
        print(f"          sign in as {DEMONSTRATION_EMAIL} with the password {password}", flush=True)
    if installation.platform_port:
        supervisor.start(_platform(installation))
        say(f"the staff console is at {installation.settings['PLATFORM_BASE_URL']} (make staff EMAIL=… lets you in)")
    if installation.graph:
        supervisor.start(installation.graph)
    if installation.target_ports:
        supervisor.start(_target(installation))
    if installation.temporal:
        installation.temporal.wait()
        say("Temporal runs")
    supervisor.start(Program("worker", _python("app.worker"), installation.environment("sentinel_worker")))
    if installation.graph:
        installation.graph.wait()
        say("the graph runs")


def _start_postgres(installation: Installation, supervisor: Supervisor, say: Say) -> None:
    postgres = installation.postgres
    if postgres is None:
        return
    new = not postgres.data.exists()
    postgres.initialise()
    supervisor.start(postgres)
    postgres.wait()
    roles.bootstrap(postgres.superuser_url, installation.keys)
    say(f"Postgres runs{' on a new data directory' if new else ''}")


def _serve(installation: Installation, supervisor: Supervisor, say: Say) -> None:
    """Fill in the demonstration data, and tend the parts until somebody stops us."""
    filling = _demonstration(installation) if installation.demonstration else None
    say("all parts run; Ctrl-C stops them" + ("; demonstration data is being filled in" if filling else ""))
    try:
        while True:
            supervisor.tend()
            if filling and not filling.running():
                code = filling.process.returncode
                say("the demonstration data is complete" if code == 0 else f"no demonstration data: see {filling.log}")
                filling = None
            time.sleep(0.1)
    finally:
        if filling:
            filling.stop(patience=3)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _migrate(installation: Installation, say: Say) -> None:
    """Bring the tables up to date with the owner's login. Raises LocalError with the migration's last words.

    Our own Postgres is asked only when the code of the migrations is not what it was the last time.
    """
    environment = installation.environment("sentinel_owner")
    if not environment.get("DATABASE_OWNER_URL"):
        say("DATABASE_OWNER_URL is not set: the tables are taken as they are")
        return
    stamp = installation.postgres.state / "migrated" if installation.postgres else None
    code = _code_of("migrations", "app/db", "app/models")
    if stamp and stamp.exists() and stamp.read_text() == code:
        return
    log = installation.state / "log" / "migrate.log"
    child = spawn("migrate", _python("app.db.migrate"), log=log, environment=environment, directory=ROOT)
    if child.process.wait() != 0:
        raise LocalError(f"the migration failed: {child.last_words(1)} (see {log})")
    say("the tables are up to date")
    if stamp:
        stamp.write_text(code)


def _code_of(*directories: str) -> str:
    """A hash of the Python and SQL files below `directories`."""
    total = hashlib.sha256()
    for directory in directories:
        for path in sorted(path for path in (ROOT / directory).rglob("*.*") if path.suffix in (".py", ".sql")):
            total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def _web(installation: Installation) -> Program:
    environment = installation.environment("sentinel_app")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    command = of_procfile("web", (ROOT / "Procfile").read_text())
    url = f"http://127.0.0.1:{installation.port}/health"
    return Program("web", command, environment, url, (installation.listening.fileno(),))


def _platform(installation: Installation) -> Program:
    environment = installation.environment("sentinel_platform")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    command = of_procfile("platform", (ROOT / "Procfile").read_text())
    return Program("platform", command, environment, f"http://127.0.0.1:{installation.platform_port}/health")


def _target(installation: Installation) -> Program:
    plain, tls = (str(port) for port in installation.target_ports)
    state = str(installation.state / "data" / "target")
    command = _python("app.local.target", "--http-port", plain, "--https-port", tls, "--state", state)
    return Program("target", command, dict(os.environ))


def _demonstration(installation: Installation) -> Child:
    environment = installation.environment("sentinel_app", "sentinel_worker")
    log = installation.state / "log" / "demonstration.log"
    command = _python("app.cli", "demonstration")
    return spawn("demonstration", command, log=log, environment=environment, directory=ROOT)


def _on_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """A second Ctrl-C changes nothing: stopping has its own time limits."""


def _end_with_make() -> None:
    """Stop when the `make` that started us is killed (Linux)."""
    if os.environ.get("MAKELEVEL") and Path("/proc/self").exists():
        ctypes.CDLL(None).prctl(1, int(signal.SIGTERM), 0, 0, 0)  # PR_SET_PDEATHSIG
