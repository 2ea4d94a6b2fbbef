-- How whoever holds a session proved who they are; what a tenant asks of its people; permissions beside the role's.

ALTER TABLE auth.sessions
    ADD COLUMN methods text[] NOT NULL DEFAULT '{password}', ADD COLUMN sso_tenant_id uuid,
    ADD COLUMN strong_at timestamptz, ADD COLUMN confirmed_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE auth.tenants
    ADD COLUMN mfa_required boolean NOT NULL DEFAULT false, ADD COLUMN sso_required boolean NOT NULL DEFAULT false;

ALTER TABLE auth.memberships DROP COLUMN permissions;

CREATE TABLE auth.extra_permissions (
    tenant_id uuid NOT NULL, id uuid NOT NULL, user_id uuid NOT NULL, permission text NOT NULL, until timestamptz,
    PRIMARY KEY (tenant_id, id));
CREATE INDEX ON auth.extra_permissions (tenant_id, user_id);

CREATE FUNCTION auth.mirror_policy() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.tenants SET mfa_required = NEW.mfa_required, sso_required = NEW.sso_required
    WHERE tenant_id = NEW.tenant_id;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_extra_permission() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM auth.extra_permissions WHERE tenant_id = OLD.tenant_id AND id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO auth.extra_permissions (tenant_id, id, user_id, permission, until)
        VALUES (NEW.tenant_id, NEW.id, NEW.user_id, NEW.permission, NEW.until);
    END IF;
    RETURN NULL; END $$;

CREATE OR REPLACE FUNCTION auth.mirror_membership() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.memberships WHERE user_id = OLD.user_id AND tenant_id = OLD.tenant_id;
        RETURN NULL;
    END IF;
    INSERT INTO auth.memberships (user_id, tenant_id, membership_id, role)
    VALUES (NEW.user_id, NEW.tenant_id, NEW.id, NEW.role)
    ON CONFLICT (user_id, tenant_id) DO UPDATE SET membership_id = EXCLUDED.membership_id, role = EXCLUDED.role;
    RETURN NULL; END $$;

DROP FUNCTION auth.open_session(bytea, uuid, uuid, interval, interval, text, text);
CREATE FUNCTION auth.open_session(
    new_hash bytea, new_id uuid, whose uuid, lasts interval, idles interval, from_address text, from_agent text,
    by_methods text[], strong boolean, by_tenant uuid)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.sessions (token_hash, id, user_id, expires_at, idle, address, agent, methods, strong_at, sso_tenant_id)
    VALUES (new_hash, new_id, whose, now() + lasts, idles, from_address, from_agent, by_methods,
            CASE WHEN strong THEN now() END, by_tenant) $$;

DROP FUNCTION auth.begin_session(bytea, text);
CREATE FUNCTION auth.begin_session(hash bytea, wanted_slug text,
    OUT session_id uuid, OUT user_id uuid, OUT email text, OUT user_name text, OUT verified boolean,
    OUT methods text[], OUT sso_tenant_id uuid, OUT strong_at timestamptz, OUT confirmed_at timestamptz,
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT mfa_required boolean, OUT sso_required boolean, OUT role text, OUT permissions text[],
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
           t.level, t.schema_name, t.database_name, t.epoch
    INTO tenant_id, slug, tenant_name, plan, status, status_reason, mfa_required, sso_required, role, permissions,
         level, schema_name, database_name, epoch
    FROM auth.tenants t JOIN auth.memberships m ON m.tenant_id = t.tenant_id
    WHERE t.slug = wanted_slug AND m.user_id = begin_session.user_id AND t.status <> 'purged';
    PERFORM set_config('app.current_tenant', coalesce(begin_session.tenant_id::text, ''), true);
    RETURN NEXT;
END $$;

CREATE OR REPLACE FUNCTION auth.begin_api_key(hashes bytea[],
    OUT key_id uuid, OUT key_name text, OUT scopes text[], OUT expires_at timestamptz, OUT revoked_at timestamptz,
    OUT maker_id uuid, OUT maker_role text, OUT maker_permissions text[],
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT level text, OUT schema_name text, OUT database_name text, OUT epoch bigint, OUT expired boolean,
    OUT networks text[])
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT k.key_id, k.name, k.scopes, k.expires_at, k.revoked_at, k.maker_id, m.role,
           ARRAY(SELECT e.permission FROM auth.extra_permissions e WHERE e.tenant_id = k.tenant_id
                 AND e.user_id = k.maker_id AND (e.until IS NULL OR e.until > now())),
           t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason,
           t.level, t.schema_name, t.database_name, t.epoch, coalesce(k.expires_at <= now(), false), k.networks
    INTO key_id, key_name, scopes, expires_at, revoked_at, maker_id, maker_role, maker_permissions,
         tenant_id, slug, tenant_name, plan, status, status_reason, level, schema_name, database_name, epoch, expired,
         networks
    FROM auth.api_keys k JOIN auth.tenants t ON t.tenant_id = k.tenant_id
    LEFT JOIN auth.memberships m ON m.tenant_id = k.tenant_id AND m.user_id = k.maker_id
    WHERE k.secret_hash = ANY (hashes);
    PERFORM set_config('app.current_tenant',
        CASE WHEN begin_api_key.revoked_at IS NULL AND NOT coalesce(begin_api_key.expired, true)
                  AND begin_api_key.maker_role IS NOT NULL
             THEN coalesce(begin_api_key.tenant_id::text, '') ELSE '' END, true);
    IF key_id IS NOT NULL THEN RETURN NEXT; END IF;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mirror_policy(), auth.mirror_extra_permission() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.begin_session(bytea, text),
    auth.open_session(bytea, uuid, uuid, interval, interval, text, text, text[], boolean, uuid) TO sentinel_app;
