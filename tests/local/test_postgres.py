"""Our Postgres keeps its data when it is killed, and takes over what a killed one left."""

import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.local import roles
from app.local.children import LocalError
from app.local.postgres import SOCKET_PATH_LIMIT, SUPERUSER, PostgresServer
from tests.peers.patience import ended

PASSWORDS = {name: secrets.token_urlsafe(12) for name in (*roles.LOGINS, SUPERUSER)}


@pytest.fixture
def server(run_directory: Path) -> Iterator[PostgresServer]:
    """A Postgres of this test's own."""
    server = PostgresServer(run_directory / f"own-{secrets.token_hex(3)}", PASSWORDS, throwaway=False)
    server.initialise()
    yield server
    server.kill()


def up(server: PostgresServer) -> None:
    """Start `server` and wait for it."""
    server.spawn(server.state / "log")
    server.wait()


@pytest.mark.postgres
def test_committed_rows_survive_kill_9(server: PostgresServer) -> None:
    """A row that was committed is there after kill -9 and a new start."""
    up(server)
    with psycopg.connect(server.superuser_url) as connection:
        connection.execute("CREATE TABLE kept (a int); INSERT INTO kept VALUES (1)")
    server.kill()
    up(server)
    with psycopg.connect(server.superuser_url) as connection:
        assert connection.execute("SELECT a FROM kept").fetchall() == [(1,)]


@pytest.mark.postgres
def test_a_server_left_behind_is_taken_over(server: PostgresServer) -> None:
    """A second start on the same data ends the server that still runs there and puts its own in its place."""
    up(server)
    old = server.child
    again = PostgresServer(server.state, PASSWORDS)
    again.initialise()
    up(again)
    assert old is not None
    assert old.process.wait(60) is not None
    again.kill()


@pytest.mark.postgres
def test_a_lock_with_a_pid_of_somebody_else_does_not_block(server: PostgresServer) -> None:
    """A lock file whose pid now belongs to another program is put aside, and that program lives on."""
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (server.data / "postmaster.pid").write_text(f"{other.pid}\n{server.data}\n1\n5432\n\n\n\nready\n")
    up(server)
    assert other.poll() is None
    other.communicate(b"\n")


@pytest.mark.postgres
def test_bootstrap_twice_changes_nothing(bare_postgres: PostgresServer) -> None:
    """The roles' SQL may run again: the same roles, the same rights."""

    def picture() -> list[tuple[object, ...]]:
        with psycopg.connect(bare_postgres.superuser_url) as connection:
            return connection.execute(
                "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolbypassrls, "
                "(SELECT array_agg(m.roleid::regrole::text ORDER BY 1) FROM pg_auth_members m WHERE m.member = r.oid), "
                "(SELECT datacl::text FROM pg_database WHERE datname = 'sentinel') "
                "FROM pg_roles r WHERE rolname LIKE 'sentinel%' ORDER BY 1"
            ).fetchall()

    before = picture()
    roles.bootstrap(bare_postgres.superuser_url, bare_postgres.passwords)
    assert picture() == before
    assert {row[0] for row in before} >= {*roles.LOGINS, "sentinel_directory", "sentinel_eraser", "sentinel_archivist"}


@pytest.mark.postgres
def test_the_script_for_operators_runs(server: PostgresServer) -> None:
    """The script that operators pipe into psql makes logins and database, and holds no password in clear."""
    up(server)
    script = roles.bootstrap_sql(PASSWORDS)
    assert not any(PASSWORDS[login] in script for login in roles.LOGINS)
    from app.local.postgres import binaries

    for _ in range(2):
        subprocess.run(
            [str(binaries() / "psql"), "-X", "-q", "-d", server.superuser_url], input=script, text=True, check=True
        )
    with psycopg.connect(server.url("sentinel_app")) as connection:
        assert connection.execute("SELECT '[1,2]'::vector").fetchone()


def test_the_socket_address_always_fits(tmp_path: Path) -> None:
    """However deep the checkout lies, the socket's path stays below the system's limit, one per checkout."""
    deep = tmp_path / ("d" * 90)
    one, two = (PostgresServer(deep / name, PASSWORDS).socket_directory for name in ("one", "two"))
    assert len(f"{one}/.s.PGSQL.5432") < SOCKET_PATH_LIMIT
    assert one != two


@pytest.mark.postgres
def test_other_passwords_are_named(server: PostgresServer) -> None:
    """Data of another checkout's keys end in one line that names the remedy."""
    up(server)
    wrong = PostgresServer(server.state, dict.fromkeys(PASSWORDS, "wrong"))
    wrong.child = server.child
    with pytest.raises(LocalError, match="clean-data"):
        wrong.wait()


@pytest.mark.postgres
def test_nothing_listens_on_the_network(server: PostgresServer) -> None:
    """The server has its socket alone, in a directory that only its owner may enter."""
    up(server)
    with psycopg.connect(server.superuser_url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    assert server.socket_directory.stat().st_mode & 0o077 == 0


@pytest.mark.postgres
def test_the_server_ends_with_the_one_who_started_it(run_directory: Path) -> None:
    """When the process that started Postgres is killed with -9, Postgres ends as well (Linux)."""
    state = run_directory / "orphan"
    code = (
        "import sys, json, time; from pathlib import Path; from app.local import postgres\n"
        f"s = postgres.start(Path({str(state)!r}), {PASSWORDS!r}, log=Path({str(state)!r} + '.log'))\n"
        "print(s.child.process.pid, flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    assert ended(pid)
