"""How many findings were first seen on each UTC day, beside how many became open: what was there is counted from its rows."""

from pathlib import Path

from alembic import context, op

revision = "content_0009"
down_revision = "content_0008"

COUNTED = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    schema = context.config.attributes["schema"]
    op.execute(f"SET LOCAL search_path = {schema}, public")
    for statement in (
        "ALTER TABLE finding_days ADD COLUMN found bigint NOT NULL DEFAULT 0",
        # The owner sees rows, and writes them, only while row-level security is not forced.
        "ALTER TABLE findings NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE finding_days NO FORCE ROW LEVEL SECURITY",
        COUNTED.read_text(encoding="utf-8"),
        "ALTER TABLE finding_days FORCE ROW LEVEL SECURITY",
        "ALTER TABLE findings FORCE ROW LEVEL SECURITY",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
