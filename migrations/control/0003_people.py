"""Invitations and offers of ownership; a membership may end while its keys stay on record; a tenant keeps an owner."""

from pathlib import Path

from alembic import op

from app.db.rls import tenant_table

revision = "control_0003"
down_revision = "control_0002"

DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in (
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        "ALTER TABLE account.api_keys DROP CONSTRAINT api_keys_tenant_id_maker_id_fkey",
        "CREATE INDEX ON account.memberships (tenant_id, created_at, id)",
        "CREATE CONSTRAINT TRIGGER guard_owners AFTER UPDATE OR DELETE ON account.memberships "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION auth.guard_owners()",
        *tenant_table(
            "account.invitations",
            """email text NOT NULL, role text NOT NULL, inviter_id uuid NOT NULL, inviter_kind text NOT NULL,
               inviter_label text NOT NULL, mail_id uuid NOT NULL, created_at timestamptz NOT NULL,
               sent_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, ended_at timestamptz, outcome text,
               CHECK (role IN ('owner', 'admin', 'operator', 'viewer', 'auditor')),
               CHECK (outcome IN ('accepted', 'revoked', 'void'))""",
        ),
        "CREATE UNIQUE INDEX ON account.invitations (tenant_id, email) WHERE ended_at IS NULL",
        "CREATE INDEX ON account.invitations (tenant_id, created_at, id)",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.invitations "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_invitation()",
        *tenant_table(
            "account.ownership_offers",
            """giver_id uuid NOT NULL, giver_label text NOT NULL, taker_id uuid NOT NULL, taker_label text NOT NULL,
               steps_down boolean NOT NULL, created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
               ended_at timestamptz, outcome text,
               CHECK (outcome IN ('accepted', 'refused', 'withdrawn', 'expired', 'void'))""",
        ),
        "CREATE UNIQUE INDEX ON account.ownership_offers (tenant_id) WHERE ended_at IS NULL",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON account.ownership_offers "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_offer()",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
