"""Workspaces with their settings; answers kept for requests that are sent again, in the account home.

Every tenant has a default workspace, which has the tenant's own id; the keys that are there belong to it.
"""

from pathlib import Path

from alembic import op

from app.db.columns import IDEMPOTENCY_COLUMNS
from app.db.rls import CURRENT_TENANT, tenant_table

revision = "control_0009"
down_revision = "control_0008"

SEEN = ("control.tenants", "account.workspaces", "account.api_keys")
DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in (
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        *tenant_table("account.kept_answers", IDEMPOTENCY_COLUMNS, grants=("SELECT", "INSERT", "DELETE")),
        "CREATE INDEX ON account.kept_answers (tenant_id, expires_at)",
        "CREATE TRIGGER mirror AFTER INSERT ON account.kept_answers "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_answer('account')",
        *tenant_table(
            "account.workspaces",
            "name text NOT NULL, created_at timestamptz NOT NULL, created_by text NOT NULL, archived_at timestamptz",
        ),
        "CREATE UNIQUE INDEX ON account.workspaces (tenant_id, lower(name))",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.workspaces "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_workspace()",
        *tenant_table(
            "account.config_overrides",
            """workspace_id uuid, name text NOT NULL, value text NOT NULL, changed_at timestamptz NOT NULL,
               changed_by text NOT NULL, UNIQUE NULLS NOT DISTINCT (tenant_id, workspace_id, name),
               FOREIGN KEY (tenant_id, workspace_id) REFERENCES account.workspaces (tenant_id, id) ON DELETE CASCADE""",
        ),
        # The owner sees rows only while row-level security is not forced on it.
        *(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY" for table in SEEN),
        "INSERT INTO account.workspaces (tenant_id, id, name, created_at, created_by) "
        "SELECT id, id, 'Default', created_at, 'Sentinel' FROM control.tenants",
        "ALTER TABLE account.api_keys ADD COLUMN workspace_id uuid",
        "UPDATE account.api_keys SET workspace_id = tenant_id",
        *(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY" for table in SEEN),
        "ALTER TABLE account.api_keys ALTER COLUMN workspace_id SET NOT NULL, "
        f"ALTER COLUMN workspace_id SET DEFAULT {CURRENT_TENANT}, "
        "ADD FOREIGN KEY (tenant_id, workspace_id) REFERENCES account.workspaces (tenant_id, id)",
        "CREATE INDEX ON account.api_keys (tenant_id, workspace_id, created_at, id)",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
