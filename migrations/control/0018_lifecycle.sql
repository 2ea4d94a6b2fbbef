-- What is beyond the tenant's plan: it is read-only, and every entrance knows it from its own row.

ALTER TABLE auth.memberships ADD COLUMN beyond_plan boolean NOT NULL DEFAULT false;
ALTER TABLE auth.api_keys ADD COLUMN beyond_plan boolean NOT NULL DEFAULT false;
CREATE INDEX ON auth.api_keys (tenant_id) WHERE beyond_plan;
-- The workspaces in use.
CREATE TABLE auth.workspaces (
    tenant_id uuid NOT NULL, workspace_id uuid NOT NULL, beyond_plan boolean NOT NULL, PRIMARY KEY (tenant_id, workspace_id));

CREATE OR REPLACE FUNCTION auth.mirror_membership() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.memberships WHERE user_id = OLD.user_id AND tenant_id = OLD.tenant_id;
        RETURN NULL;
    END IF;
    INSERT INTO auth.memberships (user_id, tenant_id, membership_id, role, beyond_plan)
    VALUES (NEW.user_id, NEW.tenant_id, NEW.id, NEW.role, NEW.beyond_plan)
    ON CONFLICT (user_id, tenant_id) DO UPDATE SET membership_id = EXCLUDED.membership_id, role = EXCLUDED.role,
        beyond_plan = EXCLUDED.beyond_plan;
    RETURN NULL; END $$;

CREATE OR REPLACE FUNCTION auth.mirror_api_key() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.key_scope_uses WHERE tenant_id = OLD.tenant_id AND key_id = OLD.id;
        DELETE FROM auth.api_keys WHERE tenant_id = OLD.tenant_id AND key_id = OLD.id;
        RETURN NULL;
    END IF;
    INSERT INTO auth.api_keys (tenant_id, key_id, name, scopes, maker_id, service_account_id, expires_at, revoked_at,
                               networks, calls_per_minute, workspace_id, beyond_plan)
    VALUES (NEW.tenant_id, NEW.id, NEW.name, NEW.scopes, NEW.maker_id, NEW.service_account_id, NEW.expires_at,
            NEW.revoked_at, NEW.networks, NEW.calls_per_minute, NEW.workspace_id, NEW.beyond_plan)
    ON CONFLICT (tenant_id, key_id) DO UPDATE SET name = EXCLUDED.name, scopes = EXCLUDED.scopes,
        maker_id = EXCLUDED.maker_id, service_account_id = EXCLUDED.service_account_id,
        expires_at = EXCLUDED.expires_at, revoked_at = EXCLUDED.revoked_at, networks = EXCLUDED.networks,
        calls_per_minute = EXCLUDED.calls_per_minute, workspace_id = EXCLUDED.workspace_id,
        beyond_plan = EXCLUDED.beyond_plan;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_workspace_in_use() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM auth.workspaces WHERE tenant_id = OLD.tenant_id AND workspace_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.archived_at IS NULL THEN
        INSERT INTO auth.workspaces (tenant_id, workspace_id, beyond_plan) VALUES (NEW.tenant_id, NEW.id, NEW.beyond_plan);
    END IF;
    RETURN NULL; END $$;

DROP FUNCTION auth.begin_session(bytea, text);
CREATE FUNCTION auth.begin_session(hash bytea, wanted_slug text,
    OUT session_id uuid, OUT user_id uuid, OUT email text, OUT user_name text, OUT verified boolean,
    OUT methods text[], OUT sso_tenant_id uuid, OUT strong_at timestamptz, OUT confirmed_at timestamptz,
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT mfa_required boolean, OUT sso_required boolean, OUT role text, OUT permissions text[], OUT beyond_plan boolean,
    OUT trial_ends_at timestamptz,
    OUT level text, OUT schema_name text, OUT database_name text, OUT epoch bigint)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT s.id, u.id, u.email, u.name, u.verified_at IS NOT NULL, s.methods, s.sso_tenant_id, s.strong_at, s.confirmed_at
    INTO session_id, user_id, email, user_name, verified, methods, sso_tenant_id, strong_at, confirmed_at
    FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
    WHERE s.token_hash = hash AND s.expires_at > now() AND s.used_at + s.idle > now();
    PERFORM set_config('app.current_tenant', '', true);
    IF session_id IS NULL THEN RETURN; END IF;
    UPDATE auth.sessions s SET used_at = now() WHERE s.token_hash = hash AND s.used_at < now() - interval '1 minute';
    SELECT t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason, t.mfa_required, t.sso_required, m.role,
           ARRAY(SELECT e.permission FROM auth.extra_permissions e WHERE e.tenant_id = t.tenant_id
                 AND e.user_id = m.user_id AND (e.until IS NULL OR e.until > now())),
           m.beyond_plan, t.trial_ends_at,
           t.level, t.schema_name, t.database_name, t.epoch
    INTO tenant_id, slug, tenant_name, plan, status, status_reason, mfa_required, sso_required, role, permissions, beyond_plan, trial_ends_at,
         level, schema_name, database_name, epoch
    FROM auth.tenants t JOIN auth.memberships m ON m.tenant_id = t.tenant_id
    WHERE t.slug = wanted_slug AND m.user_id = begin_session.user_id AND t.status <> 'purged';
    PERFORM set_config('app.current_tenant', coalesce(begin_session.tenant_id::text, ''), true);
    RETURN NEXT;
END $$;

DROP FUNCTION auth.begin_token(text, uuid, uuid, uuid);
CREATE FUNCTION auth.begin_token(signed_by text, which uuid, whose uuid, wanted_tenant uuid,
    OUT session_id uuid, OUT user_id uuid, OUT email text, OUT user_name text, OUT verified boolean,
    OUT methods text[], OUT sso_tenant_id uuid, OUT strong_at timestamptz, OUT confirmed_at timestamptz,
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT mfa_required boolean, OUT sso_required boolean, OUT role text, OUT permissions text[], OUT beyond_plan boolean,
    OUT trial_ends_at timestamptz,
    OUT level text, OUT schema_name text, OUT database_name text, OUT epoch bigint)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT s.id, u.id, u.email, u.name, u.verified_at IS NOT NULL, s.methods, s.sso_tenant_id, s.strong_at, s.confirmed_at
    INTO session_id, user_id, email, user_name, verified, methods, sso_tenant_id, strong_at, confirmed_at
    FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
    JOIN auth.signing_keys k ON k.kid = signed_by AND k.revoked_at IS NULL
    WHERE s.id = which AND s.user_id = whose AND s.program_tenant_id = wanted_tenant
      AND s.expires_at > now() AND s.used_at + s.idle > now();
    PERFORM set_config('app.current_tenant', '', true);
    IF session_id IS NULL THEN RETURN; END IF;
    UPDATE auth.sessions s SET used_at = now() WHERE s.id = which AND s.used_at < now() - interval '1 minute';
    SELECT t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason, t.mfa_required, t.sso_required, m.role,
           ARRAY(SELECT e.permission FROM auth.extra_permissions e WHERE e.tenant_id = t.tenant_id
                 AND e.user_id = m.user_id AND (e.until IS NULL OR e.until > now())),
           m.beyond_plan, t.trial_ends_at,
           t.level, t.schema_name, t.database_name, t.epoch
    INTO tenant_id, slug, tenant_name, plan, status, status_reason, mfa_required, sso_required, role, permissions, beyond_plan, trial_ends_at,
         level, schema_name, database_name, epoch
    FROM auth.tenants t JOIN auth.memberships m ON m.tenant_id = t.tenant_id
    WHERE t.tenant_id = wanted_tenant AND m.user_id = whose AND t.status <> 'purged';
    PERFORM set_config('app.current_tenant', coalesce(begin_token.tenant_id::text, ''), true);
    RETURN NEXT;
END $$;

-- `beyond_plan` names the quota by which the key is read-only: its own, its workspace's, or its maker's seat.
DROP FUNCTION auth.begin_api_key(bytea[]);
CREATE FUNCTION auth.begin_api_key(hashes bytea[],
    OUT key_id uuid, OUT key_name text, OUT scopes text[], OUT expired boolean, OUT revoked_at timestamptz,
    OUT networks text[], OUT calls_per_minute integer, OUT workspace_id uuid, OUT workspace_archived boolean,
    OUT beyond_plan text,
    OUT secret_id uuid, OUT secret_ended boolean, OUT pepper text,
    OUT maker_id uuid, OUT maker_role text, OUT maker_permissions text[],
    OUT account_id uuid, OUT account_name text, OUT account_active boolean, OUT account_permissions text[],
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT level text, OUT schema_name text, OUT database_name text, OUT epoch bigint)
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
           t.level, t.schema_name, t.database_name, t.epoch
    INTO key_id, key_name, scopes, expired, revoked_at, networks,
         calls_per_minute, workspace_id, workspace_archived, beyond_plan, secret_id, secret_ended, pepper,
         maker_id, maker_role, maker_permissions, account_id, account_name, account_active, account_permissions,
         tenant_id, slug, tenant_name, plan, status, status_reason, level, schema_name, database_name, epoch
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

-- For the worker, which looks about each minute: reminders of a trial's end, overrides that are over, keys that expired
-- and so make room for one beyond the plan.

ALTER TABLE auth.tenants ADD COLUMN trial_reminded integer;

CREATE FUNCTION auth.mirror_trial_reminded() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.tenants t SET trial_reminded = NEW.trial_reminded WHERE t.tenant_id = NEW.id;
    RETURN NULL; END $$;

CREATE FUNCTION auth.trials_ending(most integer) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tenant_id FROM auth.tenants t
    WHERE t.status = 'trial' AND t.trial_ends_at > now() AND t.trial_ends_at <= now() + interval '7 days'
      AND (t.trial_reminded IS NULL OR t.trial_reminded > CASE WHEN t.trial_ends_at <= now() + interval '1 day' THEN 1
           WHEN t.trial_ends_at <= now() + interval '3 days' THEN 3 ELSE 7 END)
    ORDER BY t.trial_ends_at LIMIT most $$;

CREATE INDEX ON auth.plan_overrides (until);
CREATE FUNCTION auth.overrides_over(most integer, OUT tenant_id uuid, OUT id uuid)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.tenant_id, o.id FROM auth.plan_overrides o WHERE o.until <= now() ORDER BY o.until LIMIT most $$;

CREATE FUNCTION auth.keys_to_come_in(most integer) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT k.tenant_id FROM auth.api_keys k
    WHERE k.beyond_plan AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
      AND EXISTS (SELECT FROM auth.api_keys o WHERE o.tenant_id = k.tenant_id AND NOT o.beyond_plan
                  AND o.revoked_at IS NULL AND o.expires_at <= now())
    LIMIT most $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mirror_workspace_in_use(), auth.mirror_trial_reminded() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.begin_session(bytea, text), auth.begin_token(text, uuid, uuid, uuid),
    auth.begin_api_key(bytea[]) TO sentinel_app;
GRANT EXECUTE ON FUNCTION auth.trials_ending(integer), auth.overrides_over(integer), auth.keys_to_come_in(integer)
    TO sentinel_worker;
