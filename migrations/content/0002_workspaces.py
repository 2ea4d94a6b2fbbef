"""Answers kept for requests that are sent again, in the content home."""

from alembic import context, op

from app.db.columns import IDEMPOTENCY_COLUMNS
from app.db.rls import tenant_table

revision = "content_0002"
down_revision = "content_0001"


def upgrade() -> None:
    schema = context.config.attributes["schema"]
    op.execute(f"SET LOCAL search_path = {schema}, public")
    for statement in (
        *tenant_table("kept_answers", IDEMPOTENCY_COLUMNS, grants=("SELECT", "INSERT", "DELETE")),
        "CREATE INDEX ON kept_answers (tenant_id, expires_at)",
        "CREATE TRIGGER mirror AFTER INSERT ON kept_answers "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_answer('content')",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
