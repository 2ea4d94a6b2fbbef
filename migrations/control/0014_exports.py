"""Exports of everything that a tenant has; and since when and why a tenant is suspended, which a deletion leaves."""

from alembic import op

from app.db.rls import tenant_table

revision = "control_0014"
down_revision = "control_0013"


def upgrade() -> None:
    for statement in (
        *tenant_table(
            "account.exports",
            """state text NOT NULL, asked_by uuid NOT NULL, asked_label text NOT NULL, asked_at timestamptz NOT NULL,
               seen_at timestamptz NOT NULL, finished_at timestamptz, manifest_hash bytea, statement text,
               signature bytea, files integer, rows bigint, bytes bigint,
               CHECK (state IN ('complete', 'running', 'broken'))""",
            grants=("SELECT", "INSERT", "UPDATE"),
        ),
        "CREATE UNIQUE INDEX ON account.exports (tenant_id) WHERE state = 'running'",
        "ALTER TABLE control.tenants ADD COLUMN suspended_at timestamptz, ADD COLUMN suspended_reason text",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
