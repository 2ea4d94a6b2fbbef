"""API keys: secrets as rows of their own, service accounts, a limit of each key's own, and who calls with what."""

from pathlib import Path

from alembic import op

from app.db.rls import tenant_table

revision = "control_0007"
down_revision = "control_0006"

DIRECTORY = Path(__file__).with_suffix(".sql")
MOVED = ("account.api_keys", "account.api_key_secrets")


def upgrade() -> None:
    for statement in (
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        *tenant_table(
            "account.service_accounts",
            """name text NOT NULL, permissions text[] NOT NULL, maker_id uuid NOT NULL, maker_label text NOT NULL,
               created_at timestamptz NOT NULL, disabled_at timestamptz, deleted_at timestamptz""",
        ),
        "CREATE UNIQUE INDEX ON account.service_accounts (tenant_id, name) WHERE deleted_at IS NULL",
        *tenant_table(
            "account.api_key_secrets",
            """key_id uuid NOT NULL, hint text NOT NULL, secret_hash bytea NOT NULL, pepper text NOT NULL,
               created_at timestamptz NOT NULL, superseded_at timestamptz, ends_at timestamptz,
               UNIQUE (tenant_id, secret_hash),
               FOREIGN KEY (tenant_id, key_id) REFERENCES account.api_keys (tenant_id, id)""",
        ),
        "CREATE UNIQUE INDEX ON account.api_key_secrets (tenant_id, key_id) WHERE superseded_at IS NULL",
        "CREATE INDEX ON account.api_key_secrets (tenant_id, key_id, created_at)",
        # The owner sees no tenant's rows while row-level security is forced on it.
        *(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY" for table in MOVED),
        "INSERT INTO account.api_key_secrets (tenant_id, id, key_id, hint, secret_hash, pepper, created_at) "
        "SELECT tenant_id, id, id, hint, secret_hash, '', created_at FROM account.api_keys",
        *(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY" for table in MOVED),
        "ALTER TABLE account.api_keys DROP COLUMN secret_hash, DROP COLUMN hint, DROP COLUMN pepper_version, "
        "ADD COLUMN service_account_id uuid, ADD COLUMN calls_per_minute integer CHECK (calls_per_minute > 0), "
        # Whoever made a key may leave, and the key's row stays.
        "DROP CONSTRAINT IF EXISTS api_keys_tenant_id_maker_id_fkey, "
        "ADD FOREIGN KEY (tenant_id, service_account_id) REFERENCES account.service_accounts (tenant_id, id)",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.api_key_secrets "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_key_secret()",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.service_accounts "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_service_account()",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
