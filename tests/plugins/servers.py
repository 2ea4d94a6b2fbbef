"""The real servers of a test run: started when a test first asks, stopped when the run ends."""

import importlib.util
import os
import secrets
import shutil
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from app.local import ports, roles
from app.local.graph import DATABASE as GRAPH_DATABASE
from app.local.graph import USER as GRAPH_USER
from app.local.graph import GraphServer
from app.local.postgres import SUPERUSER, PostgresServer
from app.local.postgres import start as start_postgres
from app.local.temporal import TemporalServer
from app.local.valkey import ValkeyServer
from tests.peers.neo4j import Neo4jHarness
from tests.plugins.absences import absent

MIGRATED = "sentinel"


@dataclass(frozen=True)
class Database:
    """One migrated database and the URL of each login on it."""

    server: PostgresServer
    name: str

    @property
    def superuser(self) -> str:
        """The superuser's URL on this database."""
        return self.server.url(SUPERUSER, self.name)

    @property
    def owner(self) -> str:
        """The URL of sentinel_owner."""
        return self.server.url("sentinel_owner", self.name)

    @property
    def app(self) -> str:
        """The URL of sentinel_app."""
        return self.server.url("sentinel_app", self.name)

    @property
    def worker(self) -> str:
        """The URL of sentinel_worker."""
        return self.server.url("sentinel_worker", self.name)

    @property
    def platform(self) -> str:
        """The URL of sentinel_platform."""
        return self.server.url("sentinel_platform", self.name)


@dataclass(frozen=True)
class Bolt:
    """How to reach a graph over Bolt."""

    uri: str
    user: str
    password: str
    database: str


@pytest.fixture(scope="session")
def run_directory() -> Iterator[Path]:
    """A short-named directory for the servers' state, removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="sentinel-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def bare_postgres(run_directory: Path) -> Iterator[PostgresServer]:
    """A Postgres with the logins and an empty database `sentinel`; not durable."""
    passwords = {login: secrets.token_urlsafe(16) for login in (*roles.LOGINS, SUPERUSER)}
    server = start_postgres(run_directory / "pg", passwords, log=run_directory / "postgres.log", throwaway=True)
    try:
        roles.bootstrap(server.superuser_url, passwords)
        yield server
    finally:
        server.kill()


def _migrate(owner_url: str) -> None:
    if importlib.util.find_spec("app.db.migrate") is None:
        pytest.skip("app.db.migrate does not exist yet")
    from app.db.migrate import migrate

    migrate(owner_url)


@pytest.fixture(scope="session")
def postgres_server(bare_postgres: PostgresServer) -> Database:
    """The migrated database that the tests of one worker share: make tenants of your own in it."""
    database = Database(bare_postgres, MIGRATED)
    _migrate(database.owner)
    with psycopg.connect(bare_postgres.superuser_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE pristine TEMPLATE {MIGRATED} STRATEGY WAL_LOG")
    return database


def make_database(server: PostgresServer) -> Database:
    """Make a migrated database that nobody else has touched (65 ms)."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE pristine STRATEGY WAL_LOG")
        for statement in roles.database_statements(name):
            connection.execute(statement)
    return Database(server, name)


@pytest.fixture
def new_database(postgres_server: Database) -> Iterator[Callable[[], Database]]:
    """Makes migrated databases that nobody else has touched, dropped after the test."""
    made: list[Database] = []

    def make() -> Database:
        made.append(make_database(postgres_server.server))
        return made[-1]

    yield make
    with psycopg.connect(postgres_server.server.superuser_url, autocommit=True) as connection:
        for database in made:
            connection.execute(f"DROP DATABASE {database.name} WITH (FORCE)")


@pytest.fixture
def fresh_database(new_database: Callable[[], Database]) -> Database:
    """One migrated database that nobody else has touched."""
    return new_database()


@pytest.fixture(scope="session")
def valkey_server(run_directory: Path) -> Iterator[ValkeyServer]:
    """A Valkey, in which several processes count the same calls."""
    server = ValkeyServer(ports.free_port(), secrets.token_urlsafe(16), run_directory / "valkey")
    server.spawn(run_directory / "valkey.log")
    try:
        server.wait()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def temporal_server(run_directory: Path) -> Iterator[TemporalServer]:
    """A Temporal development server with its state in memory."""
    server = TemporalServer(ports.free_port(), ports.free_port(), None)
    server.spawn(run_directory / "temporal.log")
    try:
        server.wait()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def temporal_address(temporal_server: TemporalServer) -> str:
    """The address of the run's Temporal."""
    return temporal_server.address


@pytest.fixture(scope="session")
def arcadedb(run_directory: Path) -> Iterator[Bolt]:
    """ArcadeDB over Bolt, the graph of a laptop."""
    server = GraphServer(run_directory / "graph", secrets.token_urlsafe(16), ports.free_port(), ports.free_port())
    server.spawn(run_directory / "graph.log")
    try:
        server.wait()
        yield Bolt(server.uri, GRAPH_USER, server.password, GRAPH_DATABASE)
    finally:
        server.kill()


@pytest.fixture(scope="session")
def graph_uri(arcadedb: Bolt) -> str:
    """The Bolt address of the run's ArcadeDB; user, password and database are in `arcadedb`."""
    return arcadedb.uri


@pytest.fixture(scope="session")
def neo4j_server(run_directory: Path) -> Iterator[Bolt]:
    """Neo4j 5.26 over Bolt, where Java and Maven are found."""
    lacking = Neo4jHarness.lacking()
    if lacking:
        absent("Neo4j 5.26", lacking)
    harness = Neo4jHarness(run_directory / "neo4j", ports.free_port())
    harness.spawn()
    try:
        harness.wait()
        yield Bolt(harness.uri, "neo4j", "unused: the harness asks for none", "neo4j")
    finally:
        harness.kill()


@pytest.fixture(scope="session")
def neo4j_uri(neo4j_server: Bolt) -> str:
    """The Bolt address of the run's Neo4j; the rest is in `neo4j_server`."""
    return neo4j_server.uri


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"):
        found = shutil.which(name)
        if found:
            return found
    absent("Chromium", "install it so that `chromium` is on the PATH")
    raise AssertionError


def _key() -> str:
    return b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture(scope="session")
def secret_variables() -> dict[str, str]:
    """The keys of this run."""
    return {"SECRET_KEY": _key(), "MASTER_KEY": _key(), "KEY_PEPPER": _key(), "METRICS_TOKEN": secrets.token_hex(16)}


@pytest.fixture
def variables(postgres_server: Database, secret_variables: dict[str, str]) -> dict[str, str]:
    """The settings of a development installation on the run's Postgres, without Temporal and graph."""
    return settings_of(postgres_server, secret_variables)


def settings_of(database: Database, keys: dict[str, str]) -> dict[str, str]:
    """The environment variables of a development installation on `database`."""
    return {
        "SENTINEL_ENV": "development",
        "BASE_URL": "http://localhost:8000",
        "DATABASE_URL": database.app,
        "DATABASE_OWNER_URL": database.owner,
        "DATABASE_WORKER_URL": database.worker,
        "DATABASE_PLATFORM_URL": database.platform,
        "DATABASE_POOL_SIZE": "4",
        "PLATFORM_BASE_URL": "http://staff.localhost:8001",
        "PLATFORM_SECRET_KEY": keys["SECRET_KEY"][::-1],
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "WEB_CONCURRENCY": "1",
        # Every visitor of a test comes from one address.
        "RATE_LIMIT_SIGN_IN": "10000/minute",
        "RATE_LIMIT_RESET": "10000/hour",
        "RATE_LIMIT_SIGN_UP": "10000/hour",
        "DEMONSTRATION": "false",
        **keys,
    }


@pytest.fixture
def environment(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Sets the settings of a development installation for this test; returns the variables."""
    from app.core.settings import Settings, settings

    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield {**os.environ, **variables}
    settings.cache_clear()
