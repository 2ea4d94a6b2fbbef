"""Logs to be sealed: without those of tenants whose erasure has begun."""

from pathlib import Path

from alembic import op

revision = "control_0020"
down_revision = "control_0019"

DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in ("SET ROLE sentinel_directory", DIRECTORY.read_text(encoding="utf-8"), "RESET ROLE"):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
