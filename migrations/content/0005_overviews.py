"""Findings counted: how many there are of each standing, and how many became open or ceased to be, by day.

What was there already is counted from its rows: one that is not open any more is taken as closed when it was last seen.
"""

from pathlib import Path

from alembic import context, op

from app.db.rls import CURRENT_TENANT, protect

revision = "content_0005"
down_revision = "content_0004"

COUNTED = Path(__file__).with_suffix(".sql")
TENANT = f"tenant_id uuid NOT NULL DEFAULT {CURRENT_TENANT}"


def upgrade() -> None:
    schema = context.config.attributes["schema"]
    op.execute(f"SET LOCAL search_path = {schema}, public")
    for statement in (
        f"""CREATE TABLE finding_totals (
            {TENANT}, workspace_id uuid NOT NULL, status text NOT NULL, severity text NOT NULL, number bigint NOT NULL,
            PRIMARY KEY (tenant_id, workspace_id, status, severity)) WITH (fillfactor = 50)""",
        f"""CREATE TABLE finding_days (
            {TENANT}, day date NOT NULL, workspace_id uuid NOT NULL, severity text NOT NULL, opened bigint NOT NULL,
            closed bigint NOT NULL, PRIMARY KEY (tenant_id, day, workspace_id, severity)) WITH (fillfactor = 50)""",
        # The owner sees rows only while row-level security is not forced.
        "ALTER TABLE findings NO FORCE ROW LEVEL SECURITY",
        *(part for part in COUNTED.read_text(encoding="utf-8").split(";") if part.strip()),
        "ALTER TABLE findings FORCE ROW LEVEL SECURITY",
        *protect("finding_totals"),
        *protect("finding_days"),
        "CREATE INDEX ON findings (tenant_id, severity, first_seen_at, id)",
        "CREATE INDEX ON findings (tenant_id, status, first_seen_at, id)",
        "CREATE INDEX ON findings (tenant_id, rule, status, severity, first_seen_at, id)",
        "CREATE INDEX ON findings (tenant_id, asset_id, status, first_seen_at, id)",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
