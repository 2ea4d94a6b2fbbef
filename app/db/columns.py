"""The bodies of the tables that stand in both homes, account and content, beside what they record."""

AUDIT_COLUMNS = """
    at timestamptz NOT NULL, actor_kind text NOT NULL, actor_id uuid, actor_label text NOT NULL,
    action text NOT NULL, target_kind text NOT NULL, target_id uuid, before jsonb, after jsonb,
    address text, agent text, request_id text,
    transaction bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint
"""
SEAL_COLUMNS = """
    number bigint NOT NULL, last_transaction bigint NOT NULL, last_id uuid NOT NULL, body text NOT NULL,
    hash bytea NOT NULL, signature bytea NOT NULL, sealed_at timestamptz NOT NULL, UNIQUE (tenant_id, number)
"""
REMOVAL_COLUMNS = """
    up_to bigint NOT NULL, body text NOT NULL, signature bytea NOT NULL, removed_at timestamptz NOT NULL,
    UNIQUE (tenant_id, up_to)
"""
OUTBOX_COLUMNS = """
    kind text NOT NULL, payload jsonb NOT NULL, created_at timestamptz NOT NULL, due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0, done_at timestamptz, last_error text
"""

IDEMPOTENCY_COLUMNS = """
    credential_id uuid NOT NULL, key_hash bytea NOT NULL, body_hash bytea NOT NULL, route text NOT NULL,
    status integer NOT NULL, location text, body text NOT NULL, created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL, UNIQUE (tenant_id, credential_id, key_hash)
"""


def audit_summary(schema: str) -> list[str]:
    """Return the statements that make a home's view of how often each action of a tenant occurred, and when last.

    It asks with the rights and the tenant of whoever reads it.
    """
    return [
        f"CREATE VIEW {schema}.v_tenant_audit_summary WITH (security_invoker = true) AS "  # noqa: S608 - a name of ours
        "SELECT tenant_id, action, count(*) AS events, min(at) AS first_at, max(at) AS last_at "
        f"FROM {schema}.audit_events GROUP BY tenant_id, action",
        f"GRANT SELECT ON {schema}.v_tenant_audit_summary TO sentinel_app, sentinel_worker",
    ]


def audit_indexes(table: str) -> list[str]:
    """Return the statements that index an audit table: by time, by what one filters on, and in order of commits."""
    columns = ("at, id", "action, at, id", "actor_label, at, id", "target_kind, at, id", "transaction, id")
    return [f"CREATE INDEX ON {table} (tenant_id, {names})" for names in columns]
