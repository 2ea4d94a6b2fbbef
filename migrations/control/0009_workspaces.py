"""Answers kept for requests that are sent again, in the account home."""

from pathlib import Path

from alembic import op

from app.db.columns import IDEMPOTENCY_COLUMNS
from app.db.rls import tenant_table

revision = "control_0009"
down_revision = "control_0008"

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
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
