"""Proven e-mail domains are looked at again: when next, since when the record is missing, what was done about it."""

from pathlib import Path

from alembic import op

revision = "control_0028"
down_revision = "control_0027"

DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in (
        "ALTER TABLE account.email_domains ADD COLUMN look_at timestamptz, ADD COLUMN missing_since timestamptz, "
        "ADD COLUMN warned_at timestamptz, ADD COLUMN lapsed_at timestamptz",
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
