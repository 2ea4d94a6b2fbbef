"""API calls are removed when the plan keeps them no longer: whose are due, and the one function that removes them."""

from pathlib import Path

from alembic import op

revision = "control_0023"
down_revision = "control_0022"

DIRECTORY = Path(__file__).with_suffix(".sql")
ARCHIVIST = Path(__file__).with_name("0023_archivist.sql")


def upgrade() -> None:
    for statement in (
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        "SET ROLE sentinel_archivist",
        ARCHIVIST.read_text(encoding="utf-8"),
        "RESET ROLE",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
