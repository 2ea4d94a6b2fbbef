"""Single sign-on: a tenant's connection to its provider, its e-mail domains, and what the directory keeps of both."""

from pathlib import Path

from alembic import op

from app.db.rls import tenant_table

revision = "control_0005"
down_revision = "control_0004"

DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in (
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        *tenant_table(
            "account.connections",
            """issuer text NOT NULL, client_id text NOT NULL, secret bytea NOT NULL, next_secret bytea,
               role_claim text NOT NULL DEFAULT '', role_map jsonb NOT NULL DEFAULT '[]', default_role text,
               status text NOT NULL DEFAULT 'draft', test bytea, tested_at timestamptz, tested_by uuid,
               created_at timestamptz NOT NULL, UNIQUE (tenant_id),
               CHECK (status IN ('draft', 'tested', 'on')),
               CHECK (default_role IN ('admin', 'operator', 'viewer', 'auditor'))""",
        ),
        *tenant_table(
            "account.email_domains",
            """domain text NOT NULL, token text NOT NULL, created_at timestamptz NOT NULL, requested_at timestamptz,
               checked_at timestamptz, verified_at timestamptz, attempts jsonb NOT NULL DEFAULT '[]',
               UNIQUE (tenant_id, domain)""",
        ),
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.connections "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_connection()",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.email_domains "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_email_domain()",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
