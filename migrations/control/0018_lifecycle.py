"""Reminders of a trial's end, and what exceeds a plan: members, keys and workspaces that are read-only for it."""

from pathlib import Path

from alembic import op

revision = "control_0018"
down_revision = "control_0017"

DIRECTORY = Path(__file__).with_suffix(".sql")
BOUNDED = ("account.memberships", "account.api_keys", "account.workspaces")


def upgrade() -> None:
    for statement in (
        *(f"ALTER TABLE {table} ADD COLUMN beyond_plan boolean NOT NULL DEFAULT false" for table in BOUNDED),
        "ALTER TABLE control.tenants ADD COLUMN trial_reminded integer",
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        "CREATE TRIGGER mirror_in_use AFTER INSERT OR UPDATE OR DELETE ON account.workspaces "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_workspace_in_use()",
        "CREATE TRIGGER reminded AFTER UPDATE OF trial_reminded ON control.tenants "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_trial_reminded()",
        # The mirror takes up the workspaces that are there; the owner sees the rows for these three statements alone.
        "ALTER TABLE account.workspaces NO FORCE ROW LEVEL SECURITY",
        "UPDATE account.workspaces SET name = name",
        "ALTER TABLE account.workspaces FORCE ROW LEVEL SECURITY",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
