"""Migrations: once, twice, from the first release on, and two at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, text

from app.db.migrate import _config, migrate
from app.db.urls import sqlalchemy_url
from app.local import roles
from tests.peers import catalogue
from tests.peers.checkouts import ROOT
from tests.plugins.servers import Database

DESCRIBE = """
SELECT 'column', n.nspname || '.' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || ' ' || a.attnotnull || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname IN ('control', 'account', 'shared', 'auth') AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT 'index', pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('control', 'account', 'shared', 'auth')
UNION ALL SELECT 'constraint', conrelid::regclass || ' ' || pg_get_constraintdef(k.oid) FROM pg_constraint k
JOIN pg_namespace n ON n.oid = k.connamespace WHERE n.nspname IN ('control', 'account', 'shared', 'auth')
UNION ALL SELECT 'policy', polrelid::regclass || ' ' || polname || ' ' || pg_get_expr(polqual, polrelid) FROM pg_policy
UNION ALL SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'grant', c.oid::regclass || ' ' || coalesce(c.relacl::text, '') FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('control', 'account', 'shared', 'auth')
UNION ALL SELECT 'function', p.oid::regprocedure || ' ' || md5(p.prosrc) || ' ' || coalesce(p.proacl::text, '')
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'auth'
ORDER BY 1, 2
"""


@pytest.fixture
def empty(postgres_server: Database) -> Iterator[Database]:
    """A database with the logins and nothing else."""
    with psycopg.connect(postgres_server.server.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty_one STRATEGY WAL_LOG")
        for statement in roles.database_statements("empty_one"):
            connection.execute(statement.encode())
    yield Database(postgres_server.server, "empty_one")
    with psycopg.connect(postgres_server.server.superuser_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE empty_one WITH (FORCE)")


def described(database: Database) -> list[tuple[str, str]]:
    """Return all that migrations make."""
    with psycopg.connect(database.superuser) as connection:
        return connection.execute(DESCRIBE).fetchall()


def test_twice_changes_nothing(fresh_database: Database) -> None:
    """A second run finds nothing to do."""
    before = described(fresh_database)
    migrate(fresh_database.owner)
    assert described(fresh_database) == before
    assert len(before) > 200


def test_step_by_step(empty: Database, fresh_database: Database) -> None:
    """A database of the first revision comes to the same as a new one, which passes the catalogue gate."""
    engine = create_engine(sqlalchemy_url(empty.owner))
    with engine.connect() as connection:
        connection.execute(text("CREATE SCHEMA control"))
        connection.commit()
        for home, schema in (("control", "control"), ("content", "shared")):
            command.upgrade(_config(connection, home, schema), f"{home}_0001")
            connection.commit()
    engine.dispose()
    assert described(empty) != described(fresh_database)
    migrate(empty.owner)
    assert described(empty) == described(fresh_database)
    assert catalogue.problems(empty.superuser) == []


def test_two_at_once(empty: Database, fresh_database: Database) -> None:
    """Of two that begin at once on an empty database the second waits and finds nothing to do."""
    variables = {"DATABASE_OWNER_URL": empty.owner, "PATH": str(Path(sys.executable).parent)}
    command_line = [sys.executable, "-m", "app.db.migrate"]
    both = [
        subprocess.Popen(command_line, cwd=ROOT, env=variables, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    ends = [(process.communicate()[1], process.returncode) for process in both]
    assert [code for _words, code in ends] == [0, 0], ends
    assert described(empty) == described(fresh_database)


def test_without_the_owners_login(tmp_path: Path) -> None:
    """Without DATABASE_OWNER_URL the command says what is missing and ends with 2."""
    done = subprocess.run(
        [sys.executable, "-m", "app.db.migrate"], cwd=ROOT, env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "DATABASE_OWNER_URL" in done.stderr


@pytest.mark.parametrize("login", ["app", "worker", "platform"])
def test_no_other_login_can_migrate(empty: Database, login: str) -> None:
    """The processes' logins cannot make a schema."""
    with pytest.raises(Exception, match="permission denied"):
        migrate(getattr(empty, login))
