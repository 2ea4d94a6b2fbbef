"""What the staff console lists: use of plans, plans asked for, effects that fail, workers seen, the staff's log by filters."""

from pathlib import Path

from alembic import op

revision = "control_0019"
down_revision = "control_0018"

DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in (
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.plan_requests "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_plan_request()",
        # The mirror takes up what waits already; the owner sees the rows for these three statements alone.
        "ALTER TABLE account.plan_requests NO FORCE ROW LEVEL SECURITY",
        "UPDATE account.plan_requests SET note = note WHERE status = 'pending'",
        "ALTER TABLE account.plan_requests FORCE ROW LEVEL SECURITY",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
