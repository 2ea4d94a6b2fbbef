"""An installation to measure: Postgres as `make run` starts it (durable), migrated, and the web process on it."""

import base64
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.settings import Settings, settings
from app.db.migrate import migrate
from app.db.opening import open_units
from app.db.units import Units
from app.local import ports, roles
from app.local.postgres import SUPERUSER
from app.local.postgres import start as start_postgres
from tests.plugins.servers import Database, settings_of

ROOT = Path(__file__).parents[2]
KEYS = ("SECRET_KEY", "MASTER_KEY", "KEY_PEPPER")


@dataclass(frozen=True)
class Installation:
    """A migrated database, and the environment variables of the processes on it; this process has them as well."""

    database: Database
    variables: dict[str, str]
    directory: Path
    port: int


@contextmanager
def installation() -> Iterator[Installation]:
    """Start Postgres and set this process's settings; both are undone on leaving."""
    directory = Path(tempfile.mkdtemp(prefix="sentinel-"))
    directory.chmod(0o755)
    passwords = {login: secrets.token_urlsafe(16) for login in (*roles.LOGINS, SUPERUSER)}
    server = start_postgres(directory / "pg", passwords, log=directory / "postgres.log")
    before = dict(os.environ)
    try:
        roles.bootstrap(server.superuser_url, passwords)
        database = Database(server, "sentinel")
        migrate(database.owner)
        port = ports.free_port()
        keys = {
            name: base64.b64encode(secrets.token_bytes(32)).decode()
            for name in ("SECRET_KEY", "MASTER_KEY", "KEY_PEPPER")
        }
        variables = settings_of(database, keys) | {"BASE_URL": f"http://127.0.0.1:{port}", "DATABASE_POOL_SIZE": "8"}
        for name in Settings.model_fields:
            os.environ.pop(name.upper(), None)
        os.environ.update(variables)
        settings.cache_clear()
        yield Installation(database, variables, directory, port)
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def opened_units() -> Iterator[Units]:
    """Units of work as the web process has them."""
    units = open_units(settings(), settings().database_url.get_secret_value())
    try:
        yield units
    finally:
        units.engines.dispose()


@contextmanager
def web(on: Installation) -> Iterator[None]:
    """Run the web process as the Procfile says, on a loopback port, with its log in a file."""
    line = next(line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web:"))
    command = line.removeprefix("web:").replace("exec ", "")
    environment = {**os.environ, **on.variables, "BIND": f"127.0.0.1:{on.port}", "PORT": str(on.port)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment.get('PATH', '')}"
    with (on.directory / "web.log").open("w") as log:
        process = subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _wait(process, on)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: "subprocess.Popen[bytes]", on: Installation) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError((on.directory / "web.log").read_text()[-2000:])
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{on.port}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the web process does not answer")
