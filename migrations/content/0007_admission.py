"""Indexes of what is in flight, in line and to be dispatched, so that an admission reads none of the backlog."""

from alembic import context, op

revision = "content_0007"
down_revision = "content_0006"


def upgrade() -> None:
    schema = context.config.attributes["schema"]
    op.execute(f"SET LOCAL search_path = {schema}, public")
    for statement in (
        "CREATE INDEX scans_in_flight ON scans (tenant_id, created_at, id) "
        "WHERE admitted_at IS NOT NULL AND status IN ('queued', 'running')",
        "CREATE INDEX scans_in_line ON scans (tenant_id, created_at, id) "
        "WHERE admitted_at IS NULL AND status = 'queued' AND NOT simulated",
        "CREATE INDEX outbox_dispatch ON outbox (tenant_id, due_at) WHERE done_at IS NULL AND kind = 'scan.dispatch'",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
