"""Provisioning by SCIM: tokens of identity providers, the people and groups that they send."""

from pathlib import Path

from alembic import op

from app.db.rls import tenant_table

revision = "control_0006"
down_revision = "control_0005"

DIRECTORY = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in (
        "SET ROLE sentinel_directory",
        DIRECTORY.read_text(encoding="utf-8"),
        "RESET ROLE",
        *tenant_table(
            "account.scim_tokens",
            """hint text NOT NULL, secret_hash bytea NOT NULL, pepper text NOT NULL,
               created_at timestamptz NOT NULL, created_by text NOT NULL, used_at timestamptz, revoked_at timestamptz,
               UNIQUE (tenant_id, secret_hash)""",
        ),
        "CREATE TRIGGER mirror AFTER INSERT OR DELETE OR UPDATE OF secret_hash, revoked_at ON account.scim_tokens "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_scim_token()",
        *tenant_table(
            "account.provisioned_people",
            """user_id uuid NOT NULL, user_name text NOT NULL, user_key text NOT NULL, external_id text,
               address text NOT NULL, display_name text, formatted text, given_name text, family_name text,
               emails jsonb NOT NULL, email_keys text NOT NULL, active boolean NOT NULL, base_role text NOT NULL,
               created_at timestamptz NOT NULL, changed_at timestamptz NOT NULL, version integer NOT NULL,
               UNIQUE (tenant_id, user_id), UNIQUE (tenant_id, user_key),
               CHECK (base_role IN ('viewer', 'auditor', 'operator', 'admin', 'owner'))""",
        ),
        "CREATE INDEX ON account.provisioned_people (tenant_id, external_id)",
        "CREATE INDEX ON account.provisioned_people (tenant_id, created_at, id)",
        *tenant_table(
            "account.provisioned_groups",
            """display_name text NOT NULL, external_id text, role text, created_at timestamptz NOT NULL,
               changed_at timestamptz NOT NULL, version integer NOT NULL, UNIQUE (tenant_id, display_name),
               CHECK (role IN ('viewer', 'auditor', 'operator', 'admin'))""",
        ),
        "CREATE INDEX ON account.provisioned_groups (tenant_id, external_id)",
        "CREATE INDEX ON account.provisioned_groups (tenant_id, created_at, id)",
        *tenant_table(
            "account.provisioned_group_members",
            """group_id uuid NOT NULL, person_id uuid NOT NULL, added_at timestamptz NOT NULL DEFAULT now(), UNIQUE (tenant_id, group_id, person_id),
               FOREIGN KEY (tenant_id, group_id) REFERENCES account.provisioned_groups (tenant_id, id) ON DELETE CASCADE,
               FOREIGN KEY (tenant_id, person_id) REFERENCES account.provisioned_people (tenant_id, id) ON DELETE CASCADE""",
        ),
        "CREATE INDEX ON account.provisioned_group_members (tenant_id, person_id)",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
