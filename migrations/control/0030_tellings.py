"""What tells people what was done to their account is not held back by mails that anybody can ask for."""

from pathlib import Path

from alembic import op

revision = "control_0030"
down_revision = "control_0029"

DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in ("SET ROLE sentinel_directory", DIRECTORY.read_text(encoding="utf-8"), "RESET ROLE"):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
