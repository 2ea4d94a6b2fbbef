"""What was used of monthly quotas, what scans took of them, and API calls by the minute."""

from alembic import context, op

from app.db.rls import CURRENT_TENANT, protect, tenant_table

revision = "content_0003"
down_revision = "content_0002"

TENANT = f"tenant_id uuid NOT NULL DEFAULT {CURRENT_TENANT}"


def upgrade() -> None:
    schema = context.config.attributes["schema"]
    op.execute(f"SET LOCAL search_path = {schema}, public")
    for statement in (
        f"""CREATE TABLE quota_counters (
            {TENANT}, quota text NOT NULL, period date NOT NULL, used bigint NOT NULL,
            PRIMARY KEY (tenant_id, quota, period), CHECK (used >= 0)) WITH (fillfactor = 50)""",
        *protect("quota_counters", grants=("SELECT", "INSERT", "UPDATE")),
        f"""CREATE TABLE quota_reservations (
            {TENANT}, scan_id uuid NOT NULL, quota text NOT NULL, period date NOT NULL, state text NOT NULL,
            at timestamptz NOT NULL, settled_at timestamptz, PRIMARY KEY (tenant_id, scan_id),
            FOREIGN KEY (tenant_id, scan_id) REFERENCES scans (tenant_id, id),
            CHECK (state IN ('reserved', 'settled', 'released')))""",
        *protect("quota_reservations", grants=("SELECT", "INSERT", "UPDATE")),
        "CREATE INDEX ON quota_reservations (tenant_id, period, at, scan_id)",
        "CREATE INDEX ON quota_reservations (tenant_id) WHERE state = 'reserved'",
        f"""CREATE TABLE usage_minutes (
            {TENANT}, minute timestamptz NOT NULL, key_id uuid NOT NULL, endpoint text NOT NULL, calls bigint NOT NULL,
            PRIMARY KEY (tenant_id, minute, key_id, endpoint))""",
        *protect("usage_minutes"),
        *tenant_table("usage_flushes", "at timestamptz NOT NULL"),
        "CREATE INDEX ON usage_flushes (tenant_id, at)",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
