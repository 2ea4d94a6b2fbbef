"""Retention of audit events and checkpoints of their seals, in the account home."""

from pathlib import Path

from alembic import op

from app.db.columns import REMOVAL_COLUMNS
from app.db.rls import archived, tenant_table

revision = "control_0015"
down_revision = "control_0014"

DIRECTORY = Path(__file__).with_suffix(".sql")
ARCHIVIST = Path(__file__).with_name("0015_archivist.sql")


def upgrade() -> None:
    for statement in (
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        "CREATE SCHEMA archivist AUTHORIZATION sentinel_archivist",
        "SET ROLE sentinel_archivist",
        ARCHIVIST.read_text(encoding="utf-8"),
        "RESET ROLE",
        *tenant_table("account.audit_removals", REMOVAL_COLUMNS, grants=("SELECT", "INSERT")),
        *archived("account"),
        *tenant_table(
            "account.checkpoint_requests",
            """user_id uuid NOT NULL, created_at timestamptz NOT NULL, sent_on date, heads text,
               UNIQUE (tenant_id, user_id),
               FOREIGN KEY (tenant_id, user_id) REFERENCES account.memberships (tenant_id, user_id) ON DELETE CASCADE""",
        ),
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
