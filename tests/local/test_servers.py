"""The stand-ins of Postgres, Temporal and the graph, as the tests themselves use them."""

import neo4j
import psycopg
import pytest

from app.local.postgres import PostgresServer
from app.local.temporal import TemporalServer
from tests.plugins.servers import Bolt


@pytest.mark.postgres
@pytest.mark.parametrize("login", ["sentinel_owner", "sentinel_app", "sentinel_worker", "sentinel_platform"])
def test_logins_are_powerless(bare_postgres: PostgresServer, login: str) -> None:
    """No login is a superuser, sees past RLS, or makes roles and databases."""
    with psycopg.connect(bare_postgres.url(login)) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == (False, False, False, False)


@pytest.mark.postgres
def test_passwords_are_asked(bare_postgres: PostgresServer) -> None:
    """The socket alone opens nothing: a wrong password is refused."""
    wrong = bare_postgres.url("sentinel_app").replace(bare_postgres.passwords["sentinel_app"], "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


@pytest.mark.postgres
def test_owner_hands_functions_to_the_directory(bare_postgres: PostgresServer) -> None:
    """sentinel_owner can give an object to sentinel_directory and inherits nothing from it."""
    with psycopg.connect(bare_postgres.url("sentinel_owner")) as connection:
        connection.execute("CREATE SCHEMA trial")
        connection.execute("GRANT USAGE, CREATE ON SCHEMA trial TO sentinel_directory")
        connection.execute("CREATE TABLE trial.secret (a int)")
        connection.execute("ALTER TABLE trial.secret OWNER TO sentinel_directory")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM trial.secret")


@pytest.mark.postgres
def test_public_may_not_connect(bare_postgres: PostgresServer) -> None:
    """A role that is none of ours cannot open the database."""
    with psycopg.connect(bare_postgres.superuser_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = 'sentinel' AND a.grantee = 0"
        ).fetchone()
    assert row == (0,)


@pytest.mark.temporal
def test_temporal_answers(temporal_server: TemporalServer) -> None:
    """The development server answers for its namespace."""
    temporal_server.wait(patience=30)


@pytest.mark.graph
def test_arcadedb_answers_over_bolt(arcadedb: Bolt) -> None:
    """The official driver reads what it wrote."""
    with neo4j.GraphDatabase.driver(arcadedb.uri, auth=(arcadedb.user, arcadedb.password)) as driver:
        records = driver.execute_query(
            "CREATE (n:Trial {a: $a}) RETURN n.a AS a", a=1, database_=arcadedb.database
        ).records
    assert [record["a"] for record in records] == [1]


@pytest.mark.graph
def test_neo4j_answers_over_bolt(neo4j_server: Bolt) -> None:
    """Neo4j 5.26 runs where Java and Maven are found."""
    with neo4j.GraphDatabase.driver(neo4j_server.uri) as driver:
        records = driver.execute_query("CALL dbms.components() YIELD versions RETURN versions[0] AS v").records
    assert records[0]["v"].startswith("5.26")


@pytest.mark.browser
def test_chromium_is_found(chromium_path: str) -> None:
    """The browser of the journeys is on the PATH."""
    assert chromium_path
