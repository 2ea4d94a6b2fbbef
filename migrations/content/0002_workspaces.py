"""Content belongs to workspaces; answers are kept for requests that are sent again.

What is there already belongs to the tenant's default workspace, which has the tenant's own id.
"""

from alembic import context, op

from app.db.columns import IDEMPOTENCY_COLUMNS
from app.db.rls import CURRENT_TENANT, tenant_table

revision = "content_0002"
down_revision = "content_0001"

MOVED = ("engagements", "assets", "scans", "findings")


def upgrade() -> None:
    schema = context.config.attributes["schema"]
    op.execute(f"SET LOCAL search_path = {schema}, public")
    for statement in (
        *tenant_table("kept_answers", IDEMPOTENCY_COLUMNS, grants=("SELECT", "INSERT", "DELETE")),
        "CREATE INDEX ON kept_answers (tenant_id, expires_at)",
        "CREATE TRIGGER mirror AFTER INSERT ON kept_answers "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_answer('content')",
        *(statement for table in MOVED for statement in _moved(table)),
        "ALTER TABLE api_calls ADD COLUMN workspace_id uuid",
        # An address or a name is one in its workspace; what hangs on a row is of the row's own workspace.
        "ALTER TABLE engagements DROP CONSTRAINT engagements_tenant_id_name_key, "
        "ADD UNIQUE (tenant_id, workspace_id, name), ADD UNIQUE (tenant_id, id, workspace_id)",
        "ALTER TABLE assets DROP CONSTRAINT assets_tenant_id_code_key, "
        "ADD UNIQUE (tenant_id, workspace_id, code), ADD UNIQUE (tenant_id, id, workspace_id)",
        "ALTER TABLE scans DROP CONSTRAINT scans_tenant_id_engagement_id_fkey, "
        "DROP CONSTRAINT scans_tenant_id_asset_id_fkey, "
        "ADD FOREIGN KEY (tenant_id, engagement_id, workspace_id) REFERENCES engagements (tenant_id, id, workspace_id), "
        "ADD FOREIGN KEY (tenant_id, asset_id, workspace_id) REFERENCES assets (tenant_id, id, workspace_id)",
        "ALTER TABLE findings DROP CONSTRAINT findings_tenant_id_asset_id_fkey, "
        "ADD FOREIGN KEY (tenant_id, asset_id, workspace_id) REFERENCES assets (tenant_id, id, workspace_id)",
        "CREATE INDEX ON assets (tenant_id, workspace_id, created_at, id)",
        "CREATE INDEX ON scans (tenant_id, workspace_id, created_at, id)",
        "CREATE INDEX ON findings (tenant_id, workspace_id, first_seen_at, id)",
        "CREATE INDEX ON api_calls (tenant_id, workspace_id, at, id)",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})


def _moved(table: str) -> tuple[str, ...]:
    """Return the statements that give each row of `table` its workspace; the owner sees rows only while not forced."""
    return (
        f"ALTER TABLE {table} ADD COLUMN workspace_id uuid",
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
        f"UPDATE {table} SET workspace_id = tenant_id",  # noqa: S608 - a name of ours
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} ALTER COLUMN workspace_id SET NOT NULL, "
        f"ALTER COLUMN workspace_id SET DEFAULT {CURRENT_TENANT}",
    )
