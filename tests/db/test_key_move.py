"""Keys that were issued before secrets had rows of their own."""

import psycopg
from alembic import command
from sqlalchemy import create_engine, text

from app.core.ids import new_id
from app.db.migrate import _config, migrate
from app.db.urls import sqlalchemy_url
from tests.db.test_migrate import empty
from tests.plugins.servers import Database

__all__ = ["empty"]


def test_an_older_key_keeps_its_secret(empty: Database) -> None:
    """The hash of a key from before becomes its present secret, for its tenant and for the directory."""
    engine = create_engine(sqlalchemy_url(empty.owner))
    with engine.connect() as connection:
        connection.execute(text("CREATE SCHEMA control"))
        connection.commit()
        for home, schema, revision in (("control", "control", "control_0006"), ("content", "shared", "content_0001")):
            command.upgrade(_config(connection, home, schema), revision)
            connection.commit()
    engine.dispose()
    tenant, user, key = new_id(), new_id(), new_id()
    with psycopg.connect(empty.superuser) as outside:
        outside.execute(
            "INSERT INTO control.tenants (id, slug, name, plan, status, created_at) "
            "VALUES (%s, 'old-one', 'Old', 'free', 'active', now())",
            [tenant],
        )
        outside.execute(
            "INSERT INTO account.memberships (tenant_id, id, user_id, email, name, role, created_at) "
            "VALUES (%s, %s, %s, 'a@example.com', 'A', 'owner', now())",
            [tenant, new_id(), user],
        )
        outside.execute(
            "INSERT INTO account.api_keys (tenant_id, id, name, hint, secret_hash, pepper_version, scopes, maker_id, "
            "maker_label, created_at) "
            "VALUES (%s, %s, 'CI', 'sntl_key_ab12', %s, 1, '{tenant:scans:read}', %s, 'A', now())",
            [tenant, key, b"hash", user],
        )
        outside.commit()
    migrate(empty.owner)
    with psycopg.connect(empty.superuser) as outside:
        moved = outside.execute(
            "SELECT key_id, hint, secret_hash, superseded_at FROM account.api_key_secrets"
        ).fetchall()
        assert moved == [(key, "sntl_key_ab12", b"hash", None)]
        found = outside.execute(
            "SELECT key_id, tenant_id FROM auth.begin_api_key(ARRAY[%s::bytea])", [b"hash"]
        ).fetchall()
        assert found == [(key, tenant)]
