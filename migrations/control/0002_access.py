"""Sessions that know how they were opened, a tenant's policies, and permissions beside the role's."""

from pathlib import Path

from alembic import op

from app.db.rls import protect, tenant_table

revision = "control_0002"
down_revision = "control_0001"

DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in (
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        "ALTER TABLE account.memberships DROP COLUMN permissions",
        """CREATE TABLE control.policies (
            tenant_id uuid PRIMARY KEY REFERENCES control.tenants, mfa_required boolean NOT NULL DEFAULT false,
            sso_required boolean NOT NULL DEFAULT false, key_most_days integer, key_expiry_required boolean NOT NULL DEFAULT false,
            CHECK (key_most_days > 0))""",
        *protect("control.policies", grants=("SELECT", "INSERT", "UPDATE")),
        *tenant_table(
            "account.extra_permissions",
            """user_id uuid NOT NULL, permission text NOT NULL, until timestamptz, reason text NOT NULL,
               granted_by uuid NOT NULL, granted_label text NOT NULL, created_at timestamptz NOT NULL,
               UNIQUE (tenant_id, user_id, permission),
               FOREIGN KEY (tenant_id, user_id) REFERENCES account.memberships (tenant_id, user_id) ON DELETE CASCADE""",
        ),
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE ON control.policies "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_policy()",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.extra_permissions "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_extra_permission()",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
