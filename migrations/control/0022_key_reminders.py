"""Which reminder of its end an API key's people were sent last, and on which day."""

from pathlib import Path

from alembic import op

revision = "control_0022"
down_revision = "control_0021"

DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in (
        "ALTER TABLE account.api_keys ADD COLUMN expiry_told integer, ADD COLUMN expiry_told_on date",
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        # Of keys that are over already nobody is told any more, and of short ones as if they were issued now.
        "ALTER TABLE account.api_keys NO FORCE ROW LEVEL SECURITY",
        "UPDATE account.api_keys SET expiry_told = CASE WHEN expires_at <= now() THEN 0 "
        "WHEN expires_at - created_at < interval '6 days' THEN 3 ELSE 14 END "
        "WHERE expires_at <= now() OR expires_at - created_at < interval '28 days'",
        "ALTER TABLE account.api_keys FORCE ROW LEVEL SECURITY",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
