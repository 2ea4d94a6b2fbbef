"""The erasure of tenants: who may erase, what is under way, the fence that closes a tenant, and certificates."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

from app.db.rls import erasable

revision = "control_0013"
down_revision = "control_0012"

DIRECTORY = Path(__file__).with_suffix(".sql")
ERASER = Path(__file__).with_name("0013_eraser.sql")
CERTIFICATES = Path(__file__).with_name("0013_certificates.sql")

TENANT_TABLES = "SELECT t.name, t.of_column FROM eraser.tenant_tables() t"
SCHEMAS = (
    "SELECT nspname FROM pg_namespace WHERE nspname IN ('control', 'account', 'shared') OR nspname ~ '^t_[0-9a-f]{32}$'"
)


def upgrade() -> None:
    run("SET ROLE sentinel_directory", DIRECTORY.read_text(encoding="utf-8"), "RESET ROLE")
    run("CREATE SCHEMA eraser AUTHORIZATION sentinel_eraser", "SET ROLE sentinel_eraser")
    run(ERASER.read_text(encoding="utf-8"))
    every = op.get_bind().execute(text(TENANT_TABLES)).all()
    run("RESET ROLE", "SET ROLE sentinel_directory", CERTIFICATES.read_text(encoding="utf-8"))
    run("RESET ROLE")
    schemas = op.get_bind().execute(text(SCHEMAS)).scalars().all()
    run(*(f"GRANT USAGE ON SCHEMA {schema} TO sentinel_eraser" for schema in schemas))
    for name, column in every:
        run(*erasable(name, column=column))
    run(
        "CREATE TRIGGER fence_change BEFORE UPDATE ON control.tenants FOR EACH ROW EXECUTE FUNCTION auth.fence_tenant()"
    )


def run(*statements: str) -> None:
    """Run statements as the role that was set last."""
    for statement in statements:
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
