"""API calls summed by day; minutes say also whose workspace and which person's token, and how many texts were checked."""

from alembic import context, op

from app.db.rls import CURRENT_TENANT, protect

revision = "content_0006"
down_revision = "content_0005"

TENANT = f"tenant_id uuid NOT NULL DEFAULT {CURRENT_TENANT}"
NOBODY = "'00000000-0000-0000-0000-000000000000'"
BY = "key_id, workspace_id, person, endpoint"


def upgrade() -> None:
    schema = context.config.attributes["schema"]
    op.execute(f"SET LOCAL search_path = {schema}, public")
    for statement in (
        f"""CREATE TABLE usage_days (
            {TENANT}, day date NOT NULL, key_id uuid NOT NULL, workspace_id uuid NOT NULL, person text NOT NULL,
            endpoint text NOT NULL, calls bigint NOT NULL, texts bigint NOT NULL,
            PRIMARY KEY (tenant_id, day, {BY}))""",
        *protect("usage_days"),
        # Sums that are there are kept; who is behind them is counted anew from the rows when their day is over.
        f"ALTER TABLE usage_minutes ADD COLUMN workspace_id uuid NOT NULL DEFAULT {NOBODY}, "
        "ADD COLUMN person text NOT NULL DEFAULT '', ADD COLUMN texts bigint NOT NULL DEFAULT 0, "
        f"DROP CONSTRAINT usage_minutes_pkey, ADD PRIMARY KEY (tenant_id, minute, {BY})",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
