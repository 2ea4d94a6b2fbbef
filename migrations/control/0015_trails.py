"""Retention of audit events and checkpoints of their seals, in the account home."""

from pathlib import Path

from alembic import op

from app.db.columns import REMOVAL_COLUMNS, audit_summary
from app.db.rls import archived, tenant_table

revision = "control_0015"
down_revision = "control_0014"

DIRECTORY = Path(__file__).with_suffix(".sql")
ARCHIVIST = Path(__file__).with_name("0015_archivist.sql")
# The monitoring views of the specification, as far as these tables carry them: each shows what whoever asks may see.
VIEWS = (
    """CREATE VIEW control.v_active_tenants WITH (security_invoker = true) AS
       SELECT t.id AS tenant_id, t.slug, t.name, t.status, t.plan AS tier, p.level AS isolation, t.created_at, t.trial_ends_at,
           (SELECT count(*) FROM account.memberships m WHERE m.tenant_id = t.id) AS seats_used,
           (SELECT count(*) FROM account.api_keys k WHERE k.tenant_id = t.id AND k.revoked_at IS NULL
               AND (k.expires_at IS NULL OR k.expires_at > now())) AS api_keys_used,
           (SELECT count(*) FROM account.workspaces w WHERE w.tenant_id = t.id AND w.archived_at IS NULL) AS workspaces_used
       FROM control.tenants t JOIN control.placements p ON p.tenant_id = t.id WHERE t.status IN ('trial', 'active')""",
    """CREATE VIEW control.v_tenants_by_tier WITH (security_invoker = true) AS
       SELECT t.plan AS tier, t.status, count(*) AS tenants FROM control.tenants t GROUP BY t.plan, t.status""",
    "GRANT SELECT ON control.v_active_tenants, control.v_tenants_by_tier TO sentinel_app, sentinel_worker",
)


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
        *audit_summary("account"),
        *VIEWS,
        *tenant_table(
            "account.checkpoint_requests",
            """user_id uuid NOT NULL, created_at timestamptz NOT NULL, sent_on date, heads text,
               UNIQUE (tenant_id, user_id),
               FOREIGN KEY (tenant_id, user_id) REFERENCES account.memberships (tenant_id, user_id) ON DELETE CASCADE""",
        ),
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
