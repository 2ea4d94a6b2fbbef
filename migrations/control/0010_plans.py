"""What was agreed on with a tenant in place of its plan's figures, plans asked for, and who was warned of a quota."""

from pathlib import Path

from alembic import op

from app.db.rls import protect, tenant_table

revision = "control_0010"
down_revision = "control_0009"

DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in (
        *tenant_table(
            "control.plan_overrides",
            """kind text NOT NULL, name text NOT NULL, value bigint, reason text NOT NULL, until timestamptz,
               created_at timestamptz NOT NULL, created_by text NOT NULL, ended_at timestamptz, ended_by text,
               CHECK (kind IN ('quota', 'rate', 'feature')), CHECK (value >= 0)""",
            grants=("SELECT",),
        ),
        "CREATE UNIQUE INDEX ON control.plan_overrides (tenant_id, kind, name) WHERE ended_at IS NULL",
        # Staff write them, with the worker's login; the login of the tenants' pages cannot.
        "GRANT INSERT, UPDATE ON control.plan_overrides TO sentinel_worker",
        *tenant_table(
            "account.plan_requests",
            """plan text NOT NULL, plan_before text NOT NULL, status text NOT NULL, note text NOT NULL,
               asked_by uuid, asked_label text NOT NULL, asked_at timestamptz NOT NULL,
               decided_at timestamptz, decided_by text, answer text,
               CHECK (status IN ('pending', 'withdrawn', 'approved', 'declined'))""",
            grants=("SELECT", "INSERT", "UPDATE"),
        ),
        "CREATE UNIQUE INDEX ON account.plan_requests (tenant_id) WHERE status = 'pending'",
        """CREATE TABLE account.quota_warnings (
            tenant_id uuid NOT NULL DEFAULT nullif(current_setting('app.current_tenant', true), '')::uuid,
            quota text NOT NULL, period date NOT NULL, level integer NOT NULL, at timestamptz NOT NULL,
            PRIMARY KEY (tenant_id, quota, period, level), CHECK (level > 0))""",
        *protect("account.quota_warnings", grants=("SELECT", "INSERT")),
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
