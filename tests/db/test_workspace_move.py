"""Rows that were there before workspaces were."""

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, text

from app.core.ids import new_id
from app.db.migrate import _config, migrate
from app.db.urls import sqlalchemy_url
from tests.db.test_migrate import empty
from tests.plugins.servers import Database

__all__ = ["empty"]
TABLES = ("engagements", "assets", "scans", "findings")


def test_what_was_there_belongs_to_the_default_workspace(empty: Database) -> None:
    """Each tenant gets its own, with its keys, assets, engagements, scans and findings; policies are forced again."""
    engine = create_engine(sqlalchemy_url(empty.owner))
    with engine.connect() as connection:
        connection.execute(text("CREATE SCHEMA control"))
        connection.commit()
        for home, schema, revision in (("control", "control", "control_0008"), ("content", "shared", "content_0001")):
            command.upgrade(_config(connection, home, schema), revision)
            connection.commit()
    engine.dispose()
    tenants = [new_id(), new_id()]
    with psycopg.connect(empty.superuser) as outside:
        for number, tenant in enumerate(tenants):
            _fill(outside, tenant, number)
    migrate(empty.owner)
    with psycopg.connect(empty.superuser) as outside:
        rows = outside.execute("SELECT tenant_id, id, name FROM account.workspaces ORDER BY tenant_id").fetchall()
        assert rows == [(tenant, tenant, "Default") for tenant in sorted(tenants)]
        for table in (*(f"shared.{name}" for name in TABLES), "account.api_keys", "auth.api_keys"):
            found = outside.execute(f"SELECT tenant_id, workspace_id FROM {table}".encode()).fetchall()
            assert sorted(found) == [(tenant, tenant) for tenant in sorted(tenants)], table
        forced = outside.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname IN ('shared', 'account', 'control') AND c.relkind = 'r' AND NOT c.relforcerowsecurity "
            "AND c.relname <> 'schema_version'"
        ).fetchall()
        assert forced == []
        with pytest.raises(psycopg.errors.UniqueViolation):
            outside.execute(
                "INSERT INTO account.workspaces (tenant_id, id, name, created_at, created_by) "
                "VALUES (%s, %s, 'DEFAULT', now(), 'x')",
                [tenants[0], new_id()],
            )


def _fill(outside: psycopg.Connection, tenant: object, number: int) -> None:
    """Give the tenant a key, an asset, an engagement, a scan and a finding."""
    user, asset, engagement, scan = new_id(), new_id(), new_id(), new_id()
    for statement, values in (
        (
            "INSERT INTO control.tenants (id, slug, name, plan, status, created_at) "
            "VALUES (%s, %s, 'Old', 'free', 'active', now())",
            [tenant, f"old-{number}"],
        ),
        (
            "INSERT INTO account.memberships (tenant_id, id, user_id, email, name, role, created_at) "
            "VALUES (%s, %s, %s, 'a@example.com', 'A', 'owner', now())",
            [tenant, new_id(), user],
        ),
        (
            "INSERT INTO account.api_keys (tenant_id, id, name, scopes, maker_id, maker_label, created_at) "
            "VALUES (%s, %s, 'CI', '{tenant:scans:read}', %s, 'A', now())",
            [tenant, new_id(), user],
        ),
        (
            "INSERT INTO shared.engagements (tenant_id, id, name, status, created_at) "
            "VALUES (%s, %s, 'Unplanned scans', 'open', now())",
            [tenant, engagement],
        ),
        (
            "INSERT INTO shared.assets (tenant_id, id, name, code, kind, created_at, created_by) "
            "VALUES (%s, %s, 'Letter', 'letter', 'document', now(), 'A')",
            [tenant, asset],
        ),
        (
            "INSERT INTO shared.scans (tenant_id, id, engagement_id, asset_id, tool, status, workflow_id, "
            "requested_by, requested_kind, created_at) "
            "VALUES (%s, %s, %s, %s, 'text', 'done', 'w', 'A', 'user', now())",
            [tenant, scan, engagement, asset],
        ),
        (
            "INSERT INTO shared.findings (tenant_id, id, asset_id, fingerprint, rule, title, severity, location, "
            "evidence, remedy, status, first_seen_at, last_seen_at, first_scan_id, last_scan_id) VALUES "
            "(%s, %s, %s, 'f', 'r', 't', 'low', 'l', 'e', 'm', 'open', now(), now(), %s, %s)",
            [tenant, new_id(), asset, scan, scan],
        ),
    ):
        outside.execute(statement.encode(), values)
    outside.commit()
