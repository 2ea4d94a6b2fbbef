"""Content: engagements, assets, scans, findings, calls, audit and outbox of every tenant in one schema."""

from alembic import context, op

from app.db.columns import AUDIT_COLUMNS, OUTBOX_COLUMNS, SEAL_COLUMNS, audit_indexes
from app.db.rls import protect, tenant_table

revision = "content_0001"
down_revision = None

TOOLS = "('posture', 'text')"


def upgrade() -> None:
    schema = context.config.attributes["schema"]
    op.execute(f"SET LOCAL search_path = {schema}, public")
    for statement in (
        *tenant_table(
            "engagements",
            "name text NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL, UNIQUE (tenant_id, name)",
        ),
        *tenant_table(
            "assets",
            """name text NOT NULL, code text NOT NULL, kind text NOT NULL, url text, host text, port integer,
               created_at timestamptz NOT NULL, created_by text NOT NULL, archived_at timestamptz,
               UNIQUE (tenant_id, code), CHECK (kind IN ('web', 'document'))""",
        ),
        "CREATE INDEX ON assets (tenant_id, created_at, id)",
        *tenant_table(
            "ownership_proofs",
            """asset_id uuid NOT NULL, endpoint text NOT NULL, token text NOT NULL, created_at timestamptz NOT NULL,
               proven_at timestamptz, proven_by text, expires_at timestamptz, requested_at timestamptz, checked_at timestamptz,
               attempts jsonb NOT NULL DEFAULT '[]', UNIQUE (tenant_id, asset_id),
               FOREIGN KEY (tenant_id, asset_id) REFERENCES assets (tenant_id, id) ON DELETE CASCADE""",
        ),
        *tenant_table(
            "documents",
            """asset_id uuid NOT NULL, sealed bytea NOT NULL, characters integer NOT NULL, created_at timestamptz NOT NULL,
               UNIQUE (tenant_id, asset_id),
               FOREIGN KEY (tenant_id, asset_id) REFERENCES assets (tenant_id, id) ON DELETE CASCADE""",
        ),
        *tenant_table(
            "scans",
            f"""engagement_id uuid NOT NULL, asset_id uuid NOT NULL, tool text NOT NULL, status text NOT NULL,
               workflow_id text NOT NULL, requested_by text NOT NULL, requested_kind text NOT NULL,
               requested_id uuid, created_at timestamptz NOT NULL, admitted_at timestamptz, started_at timestamptz,
               finished_at timestamptz, failure text, partial boolean NOT NULL DEFAULT false,
               simulated boolean NOT NULL DEFAULT false, notes jsonb NOT NULL DEFAULT '[]',
               finding_count integer NOT NULL DEFAULT 0,
               FOREIGN KEY (tenant_id, engagement_id) REFERENCES engagements (tenant_id, id),
               FOREIGN KEY (tenant_id, asset_id) REFERENCES assets (tenant_id, id),
               CHECK (tool IN {TOOLS}), CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled'))""",
        ),
        "CREATE INDEX ON scans (tenant_id, created_at, id)",
        "CREATE INDEX ON scans (tenant_id, asset_id, created_at)",
        "CREATE INDEX ON scans (tenant_id, status, created_at, id)",
        "CREATE INDEX ON scans (tenant_id, engagement_id)",
        *tenant_table(
            "scan_steps",
            """scan_id uuid NOT NULL, name text NOT NULL, at timestamptz NOT NULL, UNIQUE (tenant_id, scan_id, name),
               FOREIGN KEY (tenant_id, scan_id) REFERENCES scans (tenant_id, id) ON DELETE CASCADE""",
        ),
        *tenant_table(
            "findings",
            """asset_id uuid NOT NULL, fingerprint text NOT NULL, rule text NOT NULL, title text NOT NULL,
               severity text NOT NULL, cwe integer, location text NOT NULL, evidence text NOT NULL, remedy text NOT NULL,
               status text NOT NULL, first_seen_at timestamptz NOT NULL, last_seen_at timestamptz NOT NULL,
               first_scan_id uuid NOT NULL, last_scan_id uuid NOT NULL, simulated boolean NOT NULL DEFAULT false,
               UNIQUE (tenant_id, asset_id, fingerprint),
               FOREIGN KEY (tenant_id, asset_id) REFERENCES assets (tenant_id, id),
               FOREIGN KEY (tenant_id, first_scan_id) REFERENCES scans (tenant_id, id),
               FOREIGN KEY (tenant_id, last_scan_id) REFERENCES scans (tenant_id, id),
               CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
               CHECK (status IN ('open', 'resolved', 'accepted', 'false_positive'))""",
        ),
        "CREATE INDEX ON findings (tenant_id, first_seen_at, id)",
        "CREATE INDEX ON findings (tenant_id, status, severity, first_seen_at, id)",
        "CREATE INDEX ON findings (tenant_id, first_scan_id)",
        "CREATE INDEX ON findings (tenant_id, last_scan_id)",
        """CREATE TABLE finding_sightings (
            tenant_id uuid NOT NULL DEFAULT nullif(current_setting('app.current_tenant', true), '')::uuid,
            scan_id uuid NOT NULL, finding_id uuid NOT NULL, at timestamptz NOT NULL,
            PRIMARY KEY (tenant_id, scan_id, finding_id),
            FOREIGN KEY (tenant_id, scan_id) REFERENCES scans (tenant_id, id) ON DELETE CASCADE,
            FOREIGN KEY (tenant_id, finding_id) REFERENCES findings (tenant_id, id) ON DELETE CASCADE)""",
        *protect("finding_sightings"),
        "CREATE INDEX ON finding_sightings (tenant_id, finding_id, at)",
        *tenant_table(
            "api_calls",
            """at timestamptz NOT NULL, key_id uuid, key_name text NOT NULL, method text NOT NULL, endpoint text NOT NULL,
               status integer NOT NULL, microseconds bigint NOT NULL, request_id text NOT NULL, verdict text""",
            grants=("SELECT", "INSERT"),
        ),
        "CREATE INDEX ON api_calls (tenant_id, at, id)",
        "CREATE INDEX ON api_calls (tenant_id, key_id, at, id)",
        *tenant_table("audit_events", AUDIT_COLUMNS, grants=("SELECT", "INSERT")),
        *audit_indexes("audit_events"),
        "CREATE TRIGGER mirror AFTER INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION auth.mirror_audit('content')",
        *tenant_table("audit_seals", SEAL_COLUMNS, grants=("SELECT", "INSERT")),
        *tenant_table("outbox", OUTBOX_COLUMNS),
        "CREATE INDEX ON outbox (tenant_id, due_at) WHERE done_at IS NULL",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON outbox "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_effect('content')",
        "CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON scans "
        "FOR EACH ROW EXECUTE FUNCTION auth.mirror_scan()",
    ):
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
