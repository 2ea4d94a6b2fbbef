"""Control, account and directory: tenants, memberships, keys, sessions, and the functions that know all tenants."""

from pathlib import Path

from alembic import op

from app.db.columns import AUDIT_COLUMNS, OUTBOX_COLUMNS, SEAL_COLUMNS, audit_indexes
from app.db.rls import protect, tenant_table

revision = "control_0001"
down_revision = None

DIRECTORY = Path(__file__).with_name("0001_directory.sql")
ACCOUNTS = Path(__file__).with_name("0001_accounts.sql")


def upgrade() -> None:
    for statement in (
        "CREATE SCHEMA account",
        "CREATE SCHEMA shared",
        "CREATE SCHEMA auth AUTHORIZATION sentinel_directory",
        "GRANT USAGE ON SCHEMA control, account, shared TO sentinel_app, sentinel_worker",
        "GRANT USAGE ON SCHEMA control TO sentinel_platform",
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        ACCOUNTS.read_text(encoding="utf-8"),
        "RESET ROLE",
        """CREATE TABLE control.tenants (
            id uuid PRIMARY KEY, slug text NOT NULL UNIQUE, name text NOT NULL, plan text NOT NULL, status text NOT NULL,
            trial_ends_at timestamptz, status_reason text, created_at timestamptz NOT NULL,
            CHECK (slug ~ '^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$'),
            CHECK (plan IN ('free', 'starter', 'professional', 'enterprise', 'custom')),
            CHECK (status IN ('provisioning', 'trial', 'active', 'suspended', 'deleted', 'purged')))""",
        *protect("control.tenants", column="id", grants=("SELECT", "INSERT", "UPDATE")),
        """CREATE TABLE control.placements (
            tenant_id uuid PRIMARY KEY REFERENCES control.tenants, level text NOT NULL, schema_name text NOT NULL,
            database_name text, epoch bigint NOT NULL DEFAULT 1,
            CHECK (level IN ('row', 'schema', 'database')))""",
        *protect("control.placements", grants=("SELECT", "INSERT")),
        """CREATE TABLE control.tenant_keys (
            tenant_id uuid NOT NULL REFERENCES control.tenants, version integer NOT NULL, wrapped bytea NOT NULL,
            created_at timestamptz NOT NULL, PRIMARY KEY (tenant_id, version))""",
        *protect("control.tenant_keys", grants=("SELECT", "INSERT")),
        *tenant_table(
            "account.memberships",
            """user_id uuid NOT NULL, email text NOT NULL, name text NOT NULL, role text NOT NULL,
               permissions text[] NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL,
               UNIQUE (tenant_id, user_id),
               CHECK (role IN ('owner', 'admin', 'operator', 'viewer', 'auditor'))""",
        ),
        *tenant_table(
            "account.api_keys",
            """name text NOT NULL, hint text NOT NULL, secret_hash bytea NOT NULL, pepper_version integer NOT NULL,
               scopes text[] NOT NULL, maker_id uuid NOT NULL, maker_label text NOT NULL,
               created_at timestamptz NOT NULL, expires_at timestamptz, revoked_at timestamptz,
               networks text[] NOT NULL DEFAULT '{}',
               UNIQUE (tenant_id, secret_hash),
               FOREIGN KEY (tenant_id, maker_id) REFERENCES account.memberships (tenant_id, user_id)""",
        ),
        "CREATE INDEX ON account.api_keys (tenant_id, created_at, id)",
        *tenant_table("account.audit_events", AUDIT_COLUMNS, grants=("SELECT", "INSERT")),
        *audit_indexes("account.audit_events"),
        "CREATE TRIGGER mirror AFTER INSERT ON account.audit_events "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_audit('account')",
        *tenant_table("account.audit_seals", SEAL_COLUMNS, grants=("SELECT", "INSERT")),
        *tenant_table("account.outbox", OUTBOX_COLUMNS),
        "CREATE INDEX ON account.outbox (tenant_id, due_at) WHERE done_at IS NULL",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE ON control.tenants FOR EACH ROW EXECUTE FUNCTION auth.mirror_tenant()",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE ON control.placements "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_placement()",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.memberships "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_membership()",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.api_keys "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_api_key()",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.outbox "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_effect('account')",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
