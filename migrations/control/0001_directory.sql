-- What must be known before a tenant is known. No login can read these tables: only the functions below do.

CREATE TABLE auth.users (
    id uuid PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, password_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), verified_at timestamptz);

CREATE TABLE auth.sessions (
    token_hash bytea PRIMARY KEY, id uuid NOT NULL UNIQUE, user_id uuid NOT NULL REFERENCES auth.users,
    created_at timestamptz NOT NULL DEFAULT now(), used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL, idle interval NOT NULL, address text, agent text);
CREATE INDEX ON auth.sessions (user_id);
CREATE INDEX ON auth.sessions (expires_at);

CREATE TABLE auth.tenants (
    tenant_id uuid PRIMARY KEY, slug text NOT NULL UNIQUE, name text NOT NULL, plan text NOT NULL, status text NOT NULL,
    status_reason text, level text, schema_name text, database_name text, epoch bigint);

CREATE TABLE auth.memberships (
    user_id uuid NOT NULL, tenant_id uuid NOT NULL, membership_id uuid NOT NULL, role text NOT NULL,
    permissions text[] NOT NULL, PRIMARY KEY (user_id, tenant_id));

CREATE TABLE auth.api_keys (
    secret_hash bytea PRIMARY KEY, tenant_id uuid NOT NULL, key_id uuid NOT NULL, name text NOT NULL,
    scopes text[] NOT NULL, maker_id uuid NOT NULL, expires_at timestamptz, revoked_at timestamptz,
    networks text[] NOT NULL, UNIQUE (tenant_id, key_id));

CREATE TABLE auth.effects_due (
    tenant_id uuid NOT NULL, home text NOT NULL, id uuid NOT NULL, kind text NOT NULL, due_at timestamptz NOT NULL,
    lease_until timestamptz, PRIMARY KEY (tenant_id, home, id));
CREATE INDEX ON auth.effects_due (tenant_id, kind, due_at);
CREATE INDEX ON auth.effects_due (due_at);

CREATE TABLE auth.open_scans (
    tenant_id uuid NOT NULL, scan_id uuid NOT NULL, workflow_id text NOT NULL, status text NOT NULL,
    admitted boolean NOT NULL, since timestamptz NOT NULL, PRIMARY KEY (tenant_id, scan_id));
CREATE INDEX ON auth.open_scans (since);

CREATE TABLE auth.audit_unsealed (
    tenant_id uuid NOT NULL, home text NOT NULL, transaction bigint NOT NULL, PRIMARY KEY (tenant_id, home, transaction));

CREATE TABLE auth.audit_key (
    id boolean PRIMARY KEY DEFAULT true CHECK (id), wrapped bytea NOT NULL, public bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE auth.target_visits (endpoint text PRIMARY KEY, since timestamptz NOT NULL, visits integer NOT NULL);

-- Mirrors: triggers on the tenants' tables keep the directory in the same transaction.

CREATE FUNCTION auth.mirror_tenant() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.tenants (tenant_id, slug, name, plan, status, status_reason)
    VALUES (NEW.id, NEW.slug, NEW.name, NEW.plan, NEW.status, NEW.status_reason)
    ON CONFLICT (tenant_id) DO UPDATE SET slug = EXCLUDED.slug, name = EXCLUDED.name, plan = EXCLUDED.plan,
        status = EXCLUDED.status, status_reason = EXCLUDED.status_reason;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_placement() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.tenants SET level = NEW.level, schema_name = NEW.schema_name, database_name = NEW.database_name,
        epoch = NEW.epoch WHERE tenant_id = NEW.tenant_id;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_membership() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.memberships WHERE user_id = OLD.user_id AND tenant_id = OLD.tenant_id;
        RETURN NULL;
    END IF;
    INSERT INTO auth.memberships (user_id, tenant_id, membership_id, role, permissions)
    VALUES (NEW.user_id, NEW.tenant_id, NEW.id, NEW.role, NEW.permissions)
    ON CONFLICT (user_id, tenant_id) DO UPDATE SET membership_id = EXCLUDED.membership_id, role = EXCLUDED.role,
        permissions = EXCLUDED.permissions;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_api_key() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM auth.api_keys WHERE secret_hash = OLD.secret_hash AND tenant_id = OLD.tenant_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO auth.api_keys (secret_hash, tenant_id, key_id, name, scopes, maker_id, expires_at, revoked_at,
                                   networks)
        VALUES (NEW.secret_hash, NEW.tenant_id, NEW.id, NEW.name, NEW.scopes, NEW.maker_id, NEW.expires_at,
                NEW.revoked_at, NEW.networks);
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_effect() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.effects_due WHERE id = OLD.id AND tenant_id = OLD.tenant_id AND home = TG_ARGV[0];
    ELSIF NEW.done_at IS NOT NULL THEN
        DELETE FROM auth.effects_due WHERE id = NEW.id AND tenant_id = NEW.tenant_id AND home = TG_ARGV[0];
    ELSE
        INSERT INTO auth.effects_due (tenant_id, home, id, kind, due_at)
        VALUES (NEW.tenant_id, TG_ARGV[0], NEW.id, NEW.kind, NEW.due_at)
        ON CONFLICT (tenant_id, home, id) DO UPDATE SET due_at = EXCLUDED.due_at, lease_until = NULL;
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_scan() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.open_scans WHERE scan_id = OLD.id AND tenant_id = OLD.tenant_id;
    ELSIF NEW.status NOT IN ('queued', 'running') THEN
        DELETE FROM auth.open_scans WHERE scan_id = NEW.id AND tenant_id = NEW.tenant_id;
    ELSE
        INSERT INTO auth.open_scans (scan_id, tenant_id, workflow_id, status, admitted, since)
        VALUES (NEW.id, NEW.tenant_id, NEW.workflow_id, NEW.status, NEW.admitted_at IS NOT NULL,
                coalesce(NEW.started_at, NEW.admitted_at, NEW.created_at))
        ON CONFLICT (tenant_id, scan_id) DO UPDATE SET status = EXCLUDED.status, admitted = EXCLUDED.admitted,
            since = EXCLUDED.since;
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_audit() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.audit_unsealed (tenant_id, home, transaction) VALUES (NEW.tenant_id, TG_ARGV[0], NEW.transaction)
    ON CONFLICT DO NOTHING;
    RETURN NULL; END $$;

-- Look-ups for every process.

CREATE FUNCTION auth.audit_public_key() RETURNS bytea LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT k.public FROM auth.audit_key k $$;

CREATE FUNCTION auth.slug_taken(wanted text) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM auth.tenants WHERE slug = wanted) $$;

CREATE FUNCTION auth.register_user(new_id uuid, new_email text, new_name text, new_hash text, verified boolean)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.users (id, email, name, password_hash, verified_at)
    VALUES (new_id, new_email, new_name, new_hash, CASE WHEN verified THEN now() END)
    ON CONFLICT (email) DO NOTHING;
    RETURN FOUND; END $$;

-- Always one row, so that an unknown address is counted and locked like a known one.
CREATE FUNCTION auth.find_login(wanted text, OUT user_id uuid, OUT name text, OUT password_hash text, OUT locked boolean)
RETURNS record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    SELECT u.id, u.name, u.password_hash INTO user_id, name, password_hash FROM auth.users u WHERE u.email = wanted;
    locked := EXISTS (SELECT FROM auth.attempts a WHERE a.email = wanted AND a.locked_until > now()); END $$;

CREATE FUNCTION auth.replace_hash(whose uuid, old_hash text, new_hash text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.users SET password_hash = new_hash WHERE id = whose AND password_hash = old_hash $$;

CREATE FUNCTION auth.open_session(
    new_hash bytea, new_id uuid, whose uuid, lasts interval, idles interval, from_address text, from_agent text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.sessions (token_hash, id, user_id, expires_at, idle, address, agent)
    VALUES (new_hash, new_id, whose, now() + lasts, idles, from_address, from_agent) $$;

CREATE FUNCTION auth.close_session(old_hash bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.sessions WHERE token_hash = old_hash $$;

CREATE FUNCTION auth.session_tenants(hash bytea, OUT slug text, OUT name text, OUT role text, OUT status text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.slug, t.name, m.role, t.status FROM auth.sessions s
    JOIN auth.memberships m ON m.user_id = s.user_id JOIN auth.tenants t ON t.tenant_id = m.tenant_id
    WHERE s.token_hash = hash AND s.expires_at > now() AND s.used_at + s.idle > now() AND t.status <> 'purged'
    ORDER BY t.name, t.slug $$;

-- Authentication and context in one round trip: both set the tenant for the rest of the transaction, or clear it.

CREATE FUNCTION auth.begin_session(hash bytea, wanted_slug text,
    OUT session_id uuid, OUT user_id uuid, OUT email text, OUT user_name text, OUT verified boolean,
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT role text, OUT permissions text[],
    OUT level text, OUT schema_name text, OUT database_name text, OUT epoch bigint)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT s.id, u.id, u.email, u.name, u.verified_at IS NOT NULL INTO session_id, user_id, email, user_name, verified
    FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
    WHERE s.token_hash = hash AND s.expires_at > now() AND s.used_at + s.idle > now();
    PERFORM set_config('app.current_tenant', '', true);
    IF session_id IS NULL THEN RETURN; END IF;
    UPDATE auth.sessions s SET used_at = now() WHERE s.token_hash = hash AND s.used_at < now() - interval '1 minute';
    SELECT t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason, m.role, m.permissions,
           t.level, t.schema_name, t.database_name, t.epoch
    INTO tenant_id, slug, tenant_name, plan, status, status_reason, role, permissions,
         level, schema_name, database_name, epoch
    FROM auth.tenants t JOIN auth.memberships m ON m.tenant_id = t.tenant_id
    WHERE t.slug = wanted_slug AND m.user_id = begin_session.user_id AND t.status <> 'purged';
    PERFORM set_config('app.current_tenant', coalesce(begin_session.tenant_id::text, ''), true);
    RETURN NEXT;
END $$;

CREATE FUNCTION auth.begin_api_key(hashes bytea[],
    OUT key_id uuid, OUT key_name text, OUT scopes text[], OUT expires_at timestamptz, OUT revoked_at timestamptz,
    OUT maker_id uuid, OUT maker_role text, OUT maker_permissions text[],
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT level text, OUT schema_name text, OUT database_name text, OUT epoch bigint, OUT expired boolean,
    OUT networks text[])
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT k.key_id, k.name, k.scopes, k.expires_at, k.revoked_at, k.maker_id, m.role, m.permissions,
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

-- For the worker alone: which tenants have work. Payloads are read under the tenant's own policy.

CREATE FUNCTION auth.claim_effects(kinds text[], most integer, lease interval,
    OUT tenant_id uuid, OUT home text, OUT kind text, OUT id uuid)
RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH heads AS (
        SELECT DISTINCT ON (d.tenant_id, d.kind) d.tenant_id, d.home, d.id, d.due_at FROM auth.effects_due d
        WHERE d.kind = ANY (kinds) AND d.due_at <= now() AND (d.lease_until IS NULL OR d.lease_until < now())
        ORDER BY d.tenant_id, d.kind, d.due_at, d.id
    ), taken AS (
        SELECT d.tenant_id, d.home, d.id FROM auth.effects_due d
        JOIN heads h ON (h.tenant_id, h.home, h.id) = (d.tenant_id, d.home, d.id)
        WHERE d.lease_until IS NULL OR d.lease_until < now()
        ORDER BY h.due_at LIMIT most FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE auth.effects_due d SET lease_until = now() + lease FROM taken
    WHERE (taken.tenant_id, taken.home, taken.id) = (d.tenant_id, d.home, d.id)
    RETURNING d.tenant_id, d.home, d.kind, d.id $$;

CREATE FUNCTION auth.next_effect_due(kinds text[]) RETURNS timestamptz LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT min(greatest(d.due_at, coalesce(d.lease_until, d.due_at))) FROM auth.effects_due d WHERE d.kind = ANY (kinds) $$;

CREATE FUNCTION auth.list_open_scans(older_than interval,
    OUT tenant_id uuid, OUT scan_id uuid, OUT workflow_id text, OUT status text, OUT admitted boolean, OUT since timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.tenant_id, s.scan_id, s.workflow_id, s.status, s.admitted, s.since FROM auth.open_scans s
    WHERE s.since <= now() - older_than ORDER BY s.since $$;

CREATE FUNCTION auth.tenants_with_open_scans() RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT s.tenant_id FROM auth.open_scans s WHERE s.admitted $$;

CREATE FUNCTION auth.book_target(wanted text, most integer, span interval) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    DELETE FROM auth.target_visits WHERE since < now() - interval '1 day' AND endpoint <> wanted;
    INSERT INTO auth.target_visits AS v (endpoint, since, visits) VALUES (wanted, now(), 1)
    ON CONFLICT (endpoint) DO UPDATE SET
        visits = CASE WHEN v.since <= now() - span THEN 1 ELSE v.visits + 1 END,
        since = CASE WHEN v.since <= now() - span THEN now() ELSE v.since END
    WHERE v.visits < most OR v.since <= now() - span;
    RETURN FOUND; END $$;

CREATE FUNCTION auth.audit_key() RETURNS bytea LANGUAGE sql VOLATILE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT k.wrapped FROM auth.audit_key k $$;

CREATE FUNCTION auth.keep_audit_key(new_wrapped bytea, new_public bytea) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.audit_key (wrapped, public) VALUES (new_wrapped, new_public) ON CONFLICT DO NOTHING $$;

CREATE FUNCTION auth.logs_unsealed(most integer, OUT tenant_id uuid, OUT home text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT u.tenant_id, u.home FROM auth.audit_unsealed u
    WHERE u.transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint LIMIT most $$;

CREATE FUNCTION auth.note_sealed(sealed_home text, up_to bigint) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.audit_unsealed u WHERE u.home = sealed_home AND u.transaction <= up_to
        AND u.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mirror_tenant(), auth.mirror_placement(), auth.mirror_membership(),
    auth.mirror_api_key(), auth.mirror_effect(), auth.mirror_scan(), auth.mirror_audit() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.slug_taken(text), auth.register_user(uuid, text, text, text, boolean),
    auth.find_login(text), auth.replace_hash(uuid, text, text),
    auth.open_session(bytea, uuid, uuid, interval, interval, text, text), auth.close_session(bytea),
    auth.audit_public_key(), auth.session_tenants(bytea), auth.begin_session(bytea, text), auth.begin_api_key(bytea[])
    TO sentinel_app;
GRANT EXECUTE ON FUNCTION auth.claim_effects(text[], integer, interval), auth.next_effect_due(text[]),
    auth.list_open_scans(interval), auth.tenants_with_open_scans(), auth.book_target(text, integer, interval),
    auth.audit_key(), auth.keep_audit_key(bytea, bytea), auth.logs_unsealed(integer), auth.note_sealed(text, bigint)
    TO sentinel_worker;
GRANT USAGE ON SCHEMA auth TO sentinel_app, sentinel_worker, sentinel_owner;
