"""What a migrated database may hold: who reads, writes and calls what, written out by hand."""

LOGINS = ("sentinel_app", "sentinel_worker", "sentinel_platform")
READERS = frozenset({"sentinel_app", "sentinel_worker"})
GUARDED = "(n.nspname IN ('control', 'account', 'shared') OR n.nspname ~ '^t_[0-9a-f]{32}$')"

# Written out, not taken from the generator: a generator that goes wrong is seen too.
RULE = (
    "({column} = ( SELECT (NULLIF(current_setting('app.current_tenant'::text, true), ''::text))::uuid AS \"nullif\"))"
)

# The eraser's, which nobody is: the present tenant's rows, while its erasure is under way.
ERASER = "sentinel_eraser"
ERASER_RULE = (
    "({column} = ( SELECT e.tenant_id FROM auth.erasures e WHERE ((e.tenant_id = "
    "(NULLIF(current_setting('app.current_tenant'::text, true), ''::text))::uuid) "
    "AND (e.finished_at IS NULL) AND (e.step <> 'settle'::text))))"
)
ERASES = frozenset({"SELECT", "DELETE"})
# What it holds in the directory: how far an erasure is, and where it counts what it removed.
ERASER_HOLDS = {
    *(("erasures", f"SELECT of {column}") for column in ("finished_at", "round", "step", "tenant_id")),
    *(("erasure_counts", right) for right in ("INSERT", "SELECT", "UPDATE")),
}
ERASER_FUNCTIONS = {
    "tenant_tables": frozenset({"sentinel_worker"}),
    "erase_rows": frozenset({"sentinel_worker"}),
    "rows_left": frozenset({"sentinel_worker", "sentinel_directory"}),
}
# Rows of the directory that name a tenant and stay: the erasures with their certificates, and the staff's own log.
STAYS = frozenset({"erasures", "erasure_counts", "staff_events", "staff_orders"})

TENANT_COLUMN = {"control.tenants": "id"}  # the tenant itself
NO_TENANT = {"schema_version": "Alembic's mark: no login can read it"}
UNIQUE_OVER_ALL = {"control.tenants_slug_key": "the slug is the tenant's public address"}
ALL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
APPEND = frozenset({"SELECT", "INSERT"})
GRANTS = {
    "control.tenants": ALL - {"DELETE"},
    "control.placements": APPEND,
    "control.policies": ALL - {"DELETE"},
    "control.tenant_keys": APPEND,
    "control.plan_overrides": frozenset({"SELECT"}),
    "account.plan_requests": ALL - {"DELETE"},
    "account.quota_warnings": APPEND,
    "account.exports": ALL - {"DELETE"},
    "shared.quota_counters": ALL - {"DELETE"},
    "shared.quota_reservations": ALL - {"DELETE"},
    "account.audit_events": APPEND,
    "account.audit_seals": APPEND,
    "shared.audit_seals": APPEND,
    "shared.audit_events": APPEND,
    "account.audit_removals": APPEND,
    "shared.audit_removals": APPEND,
    "shared.api_calls": APPEND,
    "account.kept_answers": ALL - {"UPDATE"},
    "shared.kept_answers": ALL - {"UPDATE"},
}
# What the worker alone may do besides: staff act with its login.
BY_WORKER = {"control.plan_overrides": frozenset({"INSERT", "UPDATE"})}

# The archivist, which nobody can log in as: what its policies and its two functions reach, of the present tenant alone.
ARCHIVIST = "sentinel_archivist"
ARCHIVED = {
    "audit_events": frozenset({"DELETE", "SELECT of a column"}),
    "audit_seals": frozenset({"SELECT of a column"}),
    "audit_removals": frozenset({"SELECT of a column"}),
    "api_calls": frozenset({"DELETE", "SELECT of a column"}),
    "usage_days": frozenset({"SELECT of a column"}),
    "usage_minutes": frozenset({"SELECT of a column"}),
}
# Whose functions with their owner's rights a schema holds.
DEFINERS = {"auth": "sentinel_directory", "archivist": ARCHIVIST, "eraser": ERASER}

# Who may call what in `auth`; triggers are called by nobody.
APP, WORKER, PLATFORM = frozenset({"sentinel_app"}), frozenset({"sentinel_worker"}), frozenset({"sentinel_platform"})
FUNCTIONS = {
    **dict.fromkeys(
        (
            "begin_sso",
            "begin_sso_link",
            "begin_step_up",
            "drop_sso_link",
            "end_sso_sessions",
            "find_account",
            "find_connection",
            "find_identity",
            "keep_session_subject",
            "keep_sso_session",
            "link_identity",
            "mail_sso_link",
            "route_domain",
            "session_subject",
            "sso_link",
            "sso_session",
            "take_mailed_link",
            "take_sso",
            "take_step_up",
        ),
        APP,
    ),
    **dict.fromkeys(
        (
            "account_events",
            "account_of",
            "account_programs",
            "account_sessions",
            "account_tenants",
            "add_signing_key",
            "begin_api_key",
            "begin_email_change",
            "begin_family",
            "begin_scim",
            "begin_session",
            "begin_token",
            "change_password",
            "close_session",
            "drop_email_change",
            "end_family",
            "end_other_sessions",
            "end_session",
            "end_tenant_sessions",
            "find_login",
            "hold_slug",
            "last_visited",
            "members_seen",
            "key_scopes_used",
            "key_uses_of",
            "note_account",
            "note_entry",
            "note_failure",
            "note_key_uses",
            "note_login",
            "note_signing_keys",
            "open_session",
            "open_usage_book",
            "peek_invitation",
            "peek_token",
            "provision_user",
            "published_keys",
            "redeem_email_change",
            "redeem_reset",
            "redeem_unlock",
            "redeem_verification",
            "register_user",
            "rename_account",
            "replace_hash",
            "request_mail",
            "request_tenant_mail",
            "revoke_signing_keys",
            "session_tenants",
            "signing_key",
            "slug_taken",
            "visit",
            "spend_refresh_token",
        ),
        APP,
    ),
    **dict.fromkeys(  # second factors, passkeys, sign-ins that wait
        (
            "account_history",
            "add_passkey",
            "add_totp",
            "begin_sign_in",
            "drop_passkey",
            "drop_totp",
            "end_sign_in",
            "end_weak_sessions",
            "erase_account",
            "factors_of",
            "find_passkey",
            "keep_challenge",
            "keep_recovery_codes",
            "members_with_factor",
            "passkeys_of",
            "pending_sign_in",
            "renew_session",
            "suspect_passkey",
            "take_challenge",
            "totp_of",
            "try_sign_in",
            "use_passkey",
            "use_recovery_code",
            "use_totp",
        ),
        APP,
    ),
    **dict.fromkeys(("sweep_factors",), WORKER),
    **dict.fromkeys(("notice_facts", "request_notice"), WORKER),
    **dict.fromkeys(("audit_key", "count_peppers", "keep_audit_key", "logs_unsealed", "note_sealed"), WORKER),
    **dict.fromkeys(
        (
            "staff_actions",
            "staff_backlog",
            "staff_close_session",
            "staff_count",
            "staff_disable",
            "staff_figures",
            "staff_find_login",
            "staff_invite",
            "staff_list",
            "staff_log",
            "staff_note",
            "staff_note_failure",
            "staff_open_session",
            "staff_order",
            "staff_overrides",
            "staff_peek_link",
            "staff_redeem_link",
            "staff_requests",
            "staff_session",
            "staff_stuck_effects",
            "staff_stuck_scans",
            "staff_tenant",
            "staff_tenants",
            "staff_usage",
            "staff_waiting",
            "staff_workers",
        ),
        PLATFORM,
    ),
    **dict.fromkeys(("claim_orders", "settle_order", "trials_over"), WORKER),
    **dict.fromkeys(("claim_counts", "note_count", "note_worker"), WORKER),
    **dict.fromkeys(
        ("domains_to_look_at", "keys_expiring", "keys_to_come_in", "overrides_over", "trials_ending"), WORKER
    ),
    **dict.fromkeys(
        (
            "begin_erasure",
            "claim_erasure",
            "directory_left",
            "directory_ties",
            "erase_directory",
            "erasure_counts",
            "erasures_due",
            "finish_erasure",
            "keep_erasure",
            "note_erased_keys",
            "note_found",
            "postpone_erasure",
            "read_erasure",
            "settle_erasure",
            "step_erasure",
        ),
        WORKER,
    ),
    "staff_erasures": PLATFORM,
    "erasure_begun": APP | WORKER | PLATFORM,
    "audit_public_key": APP | PLATFORM,
    **dict.fromkeys(("answers_expired", "note_answers_swept"), WORKER),
    **dict.fromkeys(("calls_due", "note_calls_removed", "note_usage_summed", "usage_due"), WORKER),
    **dict.fromkeys(("book_target", "claim_effects", "list_open_scans", "next_effect_due", "tenants_at_work"), WORKER),
    **dict.fromkeys(
        ("claim_mails", "find_person", "issue_token", "person_changing", "settle_mail", "sweep_accounts"), WORKER
    ),
    **dict.fromkeys(("claim_failures", "settle_failures"), WORKER),
    **dict.fromkeys(("issue_invitation", "mail_tenant"), WORKER),
    **dict.fromkeys(("claim_archives", "remove_calls", "remove_events"), WORKER),
}
# Their operators may tell a row before its policy is asked, so that no index serves a filter on them.
NOT_FILTERED = frozenset(
    {"after", "attempts", "before", "emails", "networks", "notes", "payload", "permissions", "role_map", "scopes"}
)
