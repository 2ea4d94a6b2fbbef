"""The archivist's rights on API calls: it removes those that the plan keeps no longer, and no login does."""

from alembic import context, op

from app.db.rls import calls_archived

revision = "content_0008"
down_revision = "content_0007"


def upgrade() -> None:
    for statement in calls_archived(context.config.attributes["schema"]):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
