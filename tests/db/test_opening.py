"""Which logins a process refuses to run with."""

from collections.abc import Iterator

import psycopg
import pytest

from app.core.settings import Settings, settings
from app.db.engines import make_engine
from app.db.opening import TooManyRights, refuse_privileged
from app.factory import create_app
from app.local.postgres import url
from tests.plugins.servers import Database


def refused(address: str) -> str:
    """Return why a login is refused."""
    engine = make_engine(address, pool_size=1)
    try:
        with pytest.raises(TooManyRights) as caught:
            refuse_privileged(engine)
        return str(caught.value)
    finally:
        engine.dispose()


@pytest.fixture
def roles(postgres_server: Database) -> Iterator[Database]:
    """Logins of each bad kind."""
    names = "bad_bypass, bad_member, bad_between, bad_distant, bad_directory, bad_schema"
    made = [
        "CREATE ROLE bad_bypass LOGIN BYPASSRLS PASSWORD 'x'",
        "CREATE ROLE bad_member LOGIN NOINHERIT PASSWORD 'x'",
        "GRANT sentinel_owner TO bad_member",
        "CREATE ROLE bad_between NOLOGIN",
        "CREATE ROLE bad_distant LOGIN NOINHERIT PASSWORD 'x'",
        "GRANT bad_bypass TO bad_between",
        "GRANT bad_between TO bad_distant",
        "CREATE ROLE bad_directory LOGIN NOINHERIT PASSWORD 'x'",
        "GRANT sentinel_directory TO bad_directory",
        "CREATE ROLE bad_schema LOGIN PASSWORD 'x'",
        "CREATE SCHEMA t_00000000000000000000000000000000 AUTHORIZATION bad_schema",
        f"GRANT CONNECT ON DATABASE {postgres_server.name} TO {names}",
    ]
    with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
        for statement in made:
            connection.execute(statement.encode())
        yield postgres_server
        connection.execute(f"DROP OWNED BY {names}".encode())
        connection.execute(f"DROP ROLE {names}".encode())


@pytest.mark.parametrize(
    ("login", "why"),
    [
        ("bad_bypass", "bypasses row-level security"),
        ("bad_member", "owns tables of tenants"),
        ("bad_distant", "bypasses row-level security"),
        ("bad_directory", "owns tables of tenants"),
        ("bad_schema", "owns tables of tenants"),
    ],
)
def test_a_login_with_a_way_round_is_refused(roles: Database, login: str, why: str) -> None:
    """BYPASSRLS, the owner of tables or of a schema, the directory, and members of such roles at any distance."""
    assert why in refused(url(login, "x", roles.name, roles.server.socket_directory))


def test_superuser_and_owner_are_refused(postgres_server: Database) -> None:
    """The superuser and the owner are refused by name of the reason."""
    assert "superuser" in refused(postgres_server.superuser)
    assert "owns tables of tenants" in refused(postgres_server.owner)


@pytest.mark.parametrize("login", ["app", "worker", "platform"])
def test_the_logins_of_the_processes_are_plain(postgres_server: Database, login: str) -> None:
    """The processes' own logins pass."""
    engine = make_engine(getattr(postgres_server, login), pool_size=1)
    refuse_privileged(engine)
    engine.dispose()


@pytest.mark.parametrize("login", ["superuser", "owner"])
def test_the_web_does_not_start_with_such_a_login(
    environment: dict[str, str], postgres_server: Database, login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application refuses to be made with a login that has a way round."""
    monkeypatch.setenv("DATABASE_URL", getattr(postgres_server, login))
    settings.cache_clear()
    with pytest.raises(TooManyRights):
        create_app(Settings())  # type: ignore[call-arg]
