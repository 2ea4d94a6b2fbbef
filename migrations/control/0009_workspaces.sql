-- Which tenants keep answers for repeated requests, by the hour in which the last of them expires.

CREATE TABLE auth.answers_due (
    tenant_id uuid NOT NULL, home text NOT NULL, due_at timestamptz NOT NULL, PRIMARY KEY (tenant_id, home, due_at));
CREATE INDEX ON auth.answers_due (due_at);

CREATE FUNCTION auth.mirror_answer() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.answers_due (tenant_id, home, due_at)
    VALUES (NEW.tenant_id, TG_ARGV[0], date_trunc('hour', NEW.expires_at) + interval '1 hour') ON CONFLICT DO NOTHING;
    RETURN NULL; END $$;

CREATE FUNCTION auth.answers_expired(most integer, OUT tenant_id uuid, OUT home text, OUT up_to timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.tenant_id, d.home, max(d.due_at) FROM auth.answers_due d WHERE d.due_at <= now()
    GROUP BY d.tenant_id, d.home ORDER BY 3 LIMIT most $$;

CREATE FUNCTION auth.note_answers_swept(swept_home text, up_to timestamptz) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.answers_due d WHERE d.home = swept_home AND d.due_at <= up_to
        AND d.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid $$;

-- Archived workspaces, whose keys open nothing.

CREATE TABLE auth.archived_workspaces (
    tenant_id uuid NOT NULL, workspace_id uuid NOT NULL, PRIMARY KEY (tenant_id, workspace_id));

CREATE FUNCTION auth.mirror_workspace() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM auth.archived_workspaces WHERE tenant_id = OLD.tenant_id AND workspace_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.archived_at IS NOT NULL THEN
        INSERT INTO auth.archived_workspaces (tenant_id, workspace_id) VALUES (NEW.tenant_id, NEW.id);
    END IF;
    RETURN NULL; END $$;

-- A key belongs to one workspace; those that are there to the default one, which has the tenant's own id.

ALTER TABLE auth.api_keys ADD COLUMN workspace_id uuid;
UPDATE auth.api_keys SET workspace_id = tenant_id;
ALTER TABLE auth.api_keys ALTER COLUMN workspace_id SET NOT NULL;

CREATE OR REPLACE FUNCTION auth.mirror_api_key() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.key_scope_uses WHERE tenant_id = OLD.tenant_id AND key_id = OLD.id;
        DELETE FROM auth.api_keys WHERE tenant_id = OLD.tenant_id AND key_id = OLD.id;
        RETURN NULL;
    END IF;
    INSERT INTO auth.api_keys (tenant_id, key_id, name, scopes, maker_id, service_account_id, expires_at, revoked_at,
                               networks, calls_per_minute, workspace_id)
    VALUES (NEW.tenant_id, NEW.id, NEW.name, NEW.scopes, NEW.maker_id, NEW.service_account_id, NEW.expires_at,
            NEW.revoked_at, NEW.networks, NEW.calls_per_minute, NEW.workspace_id)
    ON CONFLICT (tenant_id, key_id) DO UPDATE SET name = EXCLUDED.name, scopes = EXCLUDED.scopes,
        maker_id = EXCLUDED.maker_id, service_account_id = EXCLUDED.service_account_id,
        expires_at = EXCLUDED.expires_at, revoked_at = EXCLUDED.revoked_at, networks = EXCLUDED.networks,
        calls_per_minute = EXCLUDED.calls_per_minute, workspace_id = EXCLUDED.workspace_id;
    RETURN NULL; END $$;

DROP FUNCTION auth.begin_api_key(bytea[]);
CREATE FUNCTION auth.begin_api_key(hashes bytea[],
    OUT key_id uuid, OUT key_name text, OUT scopes text[], OUT expired boolean, OUT revoked_at timestamptz,
    OUT networks text[], OUT calls_per_minute integer, OUT workspace_id uuid, OUT workspace_archived boolean,
    OUT secret_id uuid, OUT secret_ended boolean, OUT pepper text,
    OUT maker_id uuid, OUT maker_role text, OUT maker_permissions text[],
    OUT account_id uuid, OUT account_name text, OUT account_active boolean, OUT account_permissions text[],
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT level text, OUT schema_name text, OUT database_name text, OUT epoch bigint)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT k.key_id, k.name, k.scopes, coalesce(k.expires_at <= now(), false), k.revoked_at, k.networks,
           k.calls_per_minute, k.workspace_id, w.workspace_id IS NOT NULL, s.id, coalesce(s.ends_at <= now(), false), s.pepper,
           k.maker_id, m.role,
           ARRAY(SELECT e.permission FROM auth.extra_permissions e WHERE e.tenant_id = k.tenant_id
                 AND e.user_id = k.maker_id AND (e.until IS NULL OR e.until > now())),
           k.service_account_id, a.name, coalesce(a.active, false), a.permissions,
           t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason,
           t.level, t.schema_name, t.database_name, t.epoch
    INTO key_id, key_name, scopes, expired, revoked_at, networks,
         calls_per_minute, workspace_id, workspace_archived, secret_id, secret_ended, pepper,
         maker_id, maker_role, maker_permissions, account_id, account_name, account_active, account_permissions,
         tenant_id, slug, tenant_name, plan, status, status_reason, level, schema_name, database_name, epoch
    FROM auth.api_key_secrets s
    JOIN auth.api_keys k ON k.tenant_id = s.tenant_id AND k.key_id = s.key_id
    JOIN auth.tenants t ON t.tenant_id = k.tenant_id
    LEFT JOIN auth.memberships m ON m.tenant_id = k.tenant_id AND m.user_id = k.maker_id
    LEFT JOIN auth.archived_workspaces w ON w.tenant_id = k.tenant_id AND w.workspace_id = k.workspace_id
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mirror_answer(), auth.mirror_workspace() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.answers_expired(integer), auth.note_answers_swept(text, timestamptz) TO sentinel_worker;
GRANT EXECUTE ON FUNCTION auth.begin_api_key(bytea[]) TO sentinel_app;
