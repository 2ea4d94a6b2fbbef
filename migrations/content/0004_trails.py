"""What was removed from the audit log, the archivist's rights on it, and its summary."""

from alembic import context, op

from app.db.columns import REMOVAL_COLUMNS, audit_summary
from app.db.rls import archived, tenant_table

revision = "content_0004"
down_revision = "content_0003"


def upgrade() -> None:
    schema = context.config.attributes["schema"]
    op.execute(f"SET LOCAL search_path = {schema}, public")
    for statement in (
        *tenant_table("audit_removals", REMOVAL_COLUMNS, grants=("SELECT", "INSERT")),
        *archived(schema),
        *audit_summary(schema),
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
