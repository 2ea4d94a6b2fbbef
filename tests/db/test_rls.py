"""The generator of row-level security, on real tables."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app.core.ids import new_id
from app.db.rls import CURRENT_TENANT, adopt_tables, protect, tenant_table
from tests.plugins.servers import Database


def as_tenant(connection: psycopg.Connection[Any], tenant_id: UUID | None, login: str = "sentinel_app") -> None:
    """Go on within the transaction as a login and a tenant."""
    connection.execute(f"SET LOCAL ROLE {login}".encode())
    connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(tenant_id or "")])


@pytest.fixture
def owner(postgres_server: Database) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection that acts as the owner; what it makes is rolled back."""
    with psycopg.connect(postgres_server.superuser) as connection:
        connection.execute("SET ROLE sentinel_owner")
        yield connection
        connection.rollback()


def described(connection: psycopg.Connection[Any], table: str) -> dict[str, Any]:
    """Return what makes the table a tenant's."""
    connection.execute("RESET ROLE")
    enabled, forced = connection.execute(
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", [table]
    ).fetchone()
    policies = connection.execute(
        "SELECT permissive, cmd, qual = with_check FROM pg_policies WHERE schemaname || '.' || tablename = %s "
        "ORDER BY permissive",
        [table],
    ).fetchall()
    indexes = connection.execute(
        "SELECT count(*) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
        "WHERE i.indrelid = %s::regclass AND a.attname = 'tenant_id'",
        [table],
    ).fetchone()[0]
    return {"enabled": enabled, "forced": forced, "policies": policies, "indexes": indexes}


# For the logins, and for the eraser.
BOTH = 2 * [("PERMISSIVE", "ALL", True)] + 2 * [("RESTRICTIVE", "ALL", True)]


def test_a_tenant_table_has_all_of_it(owner: psycopg.Connection[Any]) -> None:
    """Column, key, index, ENABLE, FORCE and both policies for reading and writing."""
    for statement in tenant_table("shared.planted", "body text NOT NULL"):
        owner.execute(statement.encode())
    assert described(owner, "shared.planted") == {"enabled": True, "forced": True, "policies": BOTH, "indexes": 1}


def test_tables_are_adopted(owner: psycopg.Connection[Any]) -> None:
    """Existing tables become tenants' tables: column, index, FORCE, policies; and they behave so."""
    names = ("shared.notes_one", "shared.notes_two")
    for name in names:
        owner.execute(f"CREATE TABLE {name} (id uuid PRIMARY KEY, body text)".encode())
    for statement in adopt_tables(names):
        owner.execute(statement.encode())
    for name in names:
        assert described(owner, name) == {"enabled": True, "forced": True, "policies": BOTH, "indexes": 1}
        a, b = new_id(), new_id()
        for tenant_id in (a, b):
            as_tenant(owner, tenant_id)
            owner.execute(f"INSERT INTO {name} (id, body) VALUES (%s, 'x')".encode(), [new_id()])
            found = owner.execute(f"SELECT tenant_id FROM {name}".encode()).fetchall()
            assert found == [(tenant_id,)]
        assert owner.execute(f"UPDATE {name} SET body = 'y' WHERE tenant_id = %s".encode(), [a]).rowcount == 0
        assert owner.execute(f"DELETE FROM {name}".encode()).rowcount == 1
        as_tenant(owner, None)
        assert owner.execute(f"SELECT * FROM {name}".encode()).fetchall() == []


@pytest.mark.parametrize("login", ["sentinel_app", "sentinel_worker", "sentinel_owner"])
def test_whom_the_policies_bind(owner: psycopg.Connection[Any], login: str) -> None:
    """Web and worker see their tenant's rows; the owner, being forced, sees none at all."""
    for statement in tenant_table("shared.planted", "body text"):
        owner.execute(statement.encode())
    a = new_id()
    as_tenant(owner, a)
    owner.execute("INSERT INTO shared.planted (id) VALUES (%s)", [new_id()])
    owner.execute("RESET ROLE")
    as_tenant(owner, a, login)
    expected = 0 if login == "sentinel_owner" else 1
    assert owner.execute("SELECT count(*) FROM shared.planted").fetchone() == (expected,)


def test_dropping_the_permissive_policy_shows_nothing(owner: psycopg.Connection[Any]) -> None:
    """Without the permissive policy nothing is seen; beside one that lets all pass the restrictive one holds."""
    for statement in tenant_table("shared.planted", "body text"):
        owner.execute(statement.encode())
    a, b = new_id(), new_id()
    for tenant_id in (a, b):
        as_tenant(owner, tenant_id)
        owner.execute("INSERT INTO shared.planted (id) VALUES (%s)", [new_id()])
    owner.execute("SET LOCAL ROLE sentinel_owner")
    owner.execute("CREATE POLICY mistake ON shared.planted USING (true) WITH CHECK (true)")
    as_tenant(owner, a)
    assert owner.execute("SELECT tenant_id FROM shared.planted").fetchall() == [(a,)]
    owner.execute("SET LOCAL ROLE sentinel_owner")
    owner.execute("DROP POLICY mistake ON shared.planted")
    owner.execute("DROP POLICY tenant ON shared.planted")
    as_tenant(owner, a)
    assert owner.execute("SELECT tenant_id FROM shared.planted").fetchall() == []


def test_only_what_is_granted(owner: psycopg.Connection[Any]) -> None:
    """A table that may only be added to cannot be changed, emptied or truncated."""
    for statement in tenant_table("shared.planted", "body text", grants=("SELECT", "INSERT")):
        owner.execute(statement.encode())
    as_tenant(owner, new_id())
    for statement in ("UPDATE shared.planted SET body = 'x'", "DELETE FROM shared.planted", "TRUNCATE shared.planted"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
            owner.execute(statement.encode())


def test_the_setting_is_read_in_a_sub_select() -> None:
    """A cached plan does not depend on the tenant that it was made for, and '' is nobody."""
    [using] = [statement for statement in protect("t") if "POLICY tenant_guard" in statement]
    assert f"USING (tenant_id = (SELECT {CURRENT_TENANT}))" in using
    assert CURRENT_TENANT.startswith("nullif(current_setting(")
