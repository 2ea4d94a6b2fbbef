-- An API key is told with what was agreed on with its tenant in place of the plan's figures: a call that uses up a quota
-- asks for it in no round trip of its own.

DROP FUNCTION auth.begin_api_key(bytea[]);
CREATE FUNCTION auth.begin_api_key(hashes bytea[],
    OUT key_id uuid, OUT key_name text, OUT scopes text[], OUT expired boolean, OUT revoked_at timestamptz,
    OUT networks text[], OUT calls_per_minute integer, OUT workspace_id uuid, OUT workspace_archived boolean,
    OUT beyond_plan text,
    OUT secret_id uuid, OUT secret_ended boolean, OUT pepper text,
    OUT maker_id uuid, OUT maker_role text, OUT maker_permissions text[],
    OUT account_id uuid, OUT account_name text, OUT account_active boolean, OUT account_permissions text[],
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT level text, OUT schema_name text, OUT database_name text, OUT epoch bigint, OUT overrides jsonb)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT k.key_id, k.name, k.scopes, coalesce(k.expires_at <= now(), false), k.revoked_at, k.networks,
           k.calls_per_minute, k.workspace_id, w.workspace_id IS NOT NULL,
           CASE WHEN k.beyond_plan THEN 'api_keys' WHEN b.beyond_plan THEN 'workspaces'
                WHEN k.service_account_id IS NULL AND m.beyond_plan THEN 'seats' END, s.id, coalesce(s.ends_at <= now(), false), s.pepper,
           k.maker_id, m.role,
           ARRAY(SELECT e.permission FROM auth.extra_permissions e WHERE e.tenant_id = k.tenant_id
                 AND e.user_id = k.maker_id AND (e.until IS NULL OR e.until > now())),
           k.service_account_id, a.name, coalesce(a.active, false), a.permissions,
           t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason,
           t.level, t.schema_name, t.database_name, t.epoch,
           (SELECT coalesce(jsonb_agg(jsonb_build_array(o.kind, o.name, o.value)), '[]') FROM auth.plan_overrides o
            WHERE o.tenant_id = t.tenant_id AND (o.until IS NULL OR o.until > clock_timestamp()))
    INTO key_id, key_name, scopes, expired, revoked_at, networks,
         calls_per_minute, workspace_id, workspace_archived, beyond_plan, secret_id, secret_ended, pepper,
         maker_id, maker_role, maker_permissions, account_id, account_name, account_active, account_permissions,
         tenant_id, slug, tenant_name, plan, status, status_reason, level, schema_name, database_name, epoch,
         overrides
    FROM auth.api_key_secrets s
    JOIN auth.api_keys k ON k.tenant_id = s.tenant_id AND k.key_id = s.key_id
    JOIN auth.tenants t ON t.tenant_id = k.tenant_id
    LEFT JOIN auth.memberships m ON m.tenant_id = k.tenant_id AND m.user_id = k.maker_id
    LEFT JOIN auth.archived_workspaces w ON w.tenant_id = k.tenant_id AND w.workspace_id = k.workspace_id
    LEFT JOIN auth.workspaces b ON b.tenant_id = k.tenant_id AND b.workspace_id = k.workspace_id
    LEFT JOIN auth.service_accounts a ON a.tenant_id = k.tenant_id AND a.id = k.service_account_id
    WHERE s.secret_hash = ANY (hashes);
    PERFORM set_config('app.current_tenant',
        CASE WHEN begin_api_key.revoked_at IS NULL AND NOT coalesce(begin_api_key.expired, true)
                  AND NOT coalesce(begin_api_key.secret_ended, true) AND NOT coalesce(begin_api_key.workspace_archived, true)
                  AND CASE WHEN begin_api_key.account_id IS NULL THEN begin_api_key.maker_role IS NOT NULL
                           ELSE begin_api_key.account_active END
             THEN coalesce(begin_api_key.tenant_id::text, '') ELSE '' END, true);
    IF key_id IS NOT NULL THEN RETURN NEXT; END IF;
END $$;

REVOKE ALL ON FUNCTION auth.begin_api_key(bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.begin_api_key(bytea[]) TO sentinel_app;
