-- A key's secrets are rows of their own, so that an old one works beside the new one for a while; who calls with
-- which of them; service accounts, whose keys outlive people.

CREATE TABLE auth.service_accounts (
    tenant_id uuid NOT NULL, id uuid NOT NULL, name text NOT NULL, permissions text[] NOT NULL, active boolean NOT NULL,
    PRIMARY KEY (tenant_id, id));

CREATE TABLE auth.api_key_secrets (
    secret_hash bytea PRIMARY KEY, tenant_id uuid NOT NULL, id uuid NOT NULL, key_id uuid NOT NULL, pepper text NOT NULL,
    ends_at timestamptz, UNIQUE (tenant_id, id));
CREATE INDEX ON auth.api_key_secrets (tenant_id, key_id);

INSERT INTO auth.api_key_secrets (secret_hash, tenant_id, id, key_id, pepper)
SELECT k.secret_hash, k.tenant_id, k.key_id, k.key_id, '' FROM auth.api_keys k;

ALTER TABLE auth.api_keys DROP COLUMN secret_hash, ADD COLUMN service_account_id uuid, ADD COLUMN calls_per_minute integer;
ALTER TABLE auth.api_keys DROP CONSTRAINT api_keys_tenant_id_key_id_key;
ALTER TABLE auth.api_keys ADD PRIMARY KEY (tenant_id, key_id);

CREATE TABLE auth.key_uses (
    tenant_id uuid NOT NULL, secret_id uuid NOT NULL, address text NOT NULL, agent text NOT NULL,
    last_at timestamptz NOT NULL, PRIMARY KEY (tenant_id, secret_id, address, agent));

CREATE TABLE auth.key_scope_uses (
    tenant_id uuid NOT NULL, key_id uuid NOT NULL, scope text NOT NULL, last_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key_id, scope));

CREATE OR REPLACE FUNCTION auth.mirror_api_key() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.key_scope_uses WHERE tenant_id = OLD.tenant_id AND key_id = OLD.id;
        DELETE FROM auth.api_keys WHERE tenant_id = OLD.tenant_id AND key_id = OLD.id;
        RETURN NULL;
    END IF;
    INSERT INTO auth.api_keys (tenant_id, key_id, name, scopes, maker_id, service_account_id, expires_at, revoked_at,
                               networks, calls_per_minute)
    VALUES (NEW.tenant_id, NEW.id, NEW.name, NEW.scopes, NEW.maker_id, NEW.service_account_id, NEW.expires_at,
            NEW.revoked_at, NEW.networks, NEW.calls_per_minute)
    ON CONFLICT (tenant_id, key_id) DO UPDATE SET name = EXCLUDED.name, scopes = EXCLUDED.scopes,
        maker_id = EXCLUDED.maker_id, service_account_id = EXCLUDED.service_account_id,
        expires_at = EXCLUDED.expires_at, revoked_at = EXCLUDED.revoked_at, networks = EXCLUDED.networks,
        calls_per_minute = EXCLUDED.calls_per_minute;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_key_secret() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM auth.api_key_secrets WHERE tenant_id = OLD.tenant_id AND id = OLD.id;
    END IF;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.key_uses WHERE tenant_id = OLD.tenant_id AND secret_id = OLD.id;
    ELSE
        INSERT INTO auth.api_key_secrets (secret_hash, tenant_id, id, key_id, pepper, ends_at)
        VALUES (NEW.secret_hash, NEW.tenant_id, NEW.id, NEW.key_id, NEW.pepper, NEW.ends_at);
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_service_account() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM auth.service_accounts WHERE tenant_id = OLD.tenant_id AND id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO auth.service_accounts (tenant_id, id, name, permissions, active)
        VALUES (NEW.tenant_id, NEW.id, NEW.name, NEW.permissions, NEW.disabled_at IS NULL AND NEW.deleted_at IS NULL);
    END IF;
    RETURN NULL; END $$;

-- Authentication and context in one round trip. `hashes` are one secret's, under each pepper in use.
DROP FUNCTION auth.begin_api_key(bytea[]);
CREATE FUNCTION auth.begin_api_key(hashes bytea[],
    OUT key_id uuid, OUT key_name text, OUT scopes text[], OUT expired boolean, OUT revoked_at timestamptz,
    OUT networks text[], OUT calls_per_minute integer,
    OUT secret_id uuid, OUT secret_ended boolean, OUT pepper text,
    OUT maker_id uuid, OUT maker_role text, OUT maker_permissions text[],
    OUT account_id uuid, OUT account_name text, OUT account_active boolean, OUT account_permissions text[],
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT level text, OUT schema_name text, OUT database_name text, OUT epoch bigint)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT k.key_id, k.name, k.scopes, coalesce(k.expires_at <= now(), false), k.revoked_at, k.networks,
           k.calls_per_minute, s.id, coalesce(s.ends_at <= now(), false), s.pepper,
           k.maker_id, m.role,
           ARRAY(SELECT e.permission FROM auth.extra_permissions e WHERE e.tenant_id = k.tenant_id
                 AND e.user_id = k.maker_id AND (e.until IS NULL OR e.until > now())),
           k.service_account_id, a.name, coalesce(a.active, false), a.permissions,
           t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason,
           t.level, t.schema_name, t.database_name, t.epoch
    INTO key_id, key_name, scopes, expired, revoked_at, networks,
         calls_per_minute, secret_id, secret_ended, pepper,
         maker_id, maker_role, maker_permissions, account_id, account_name, account_active, account_permissions,
         tenant_id, slug, tenant_name, plan, status, status_reason, level, schema_name, database_name, epoch
    FROM auth.api_key_secrets s
    JOIN auth.api_keys k ON k.tenant_id = s.tenant_id AND k.key_id = s.key_id
    JOIN auth.tenants t ON t.tenant_id = k.tenant_id
    LEFT JOIN auth.memberships m ON m.tenant_id = k.tenant_id AND m.user_id = k.maker_id
    LEFT JOIN auth.service_accounts a ON a.tenant_id = k.tenant_id AND a.id = k.service_account_id
    WHERE s.secret_hash = ANY (hashes);
    PERFORM set_config('app.current_tenant',
        CASE WHEN begin_api_key.revoked_at IS NULL AND NOT coalesce(begin_api_key.expired, true)
                  AND NOT coalesce(begin_api_key.secret_ended, true)
                  AND CASE WHEN begin_api_key.account_id IS NULL THEN begin_api_key.maker_role IS NOT NULL
                           ELSE begin_api_key.account_active END
             THEN coalesce(begin_api_key.tenant_id::text, '') ELSE '' END, true);
    IF key_id IS NOT NULL THEN RETURN NEXT; END IF;
END $$;

-- Uses come in batches, one a second from each process, in turn: no request waits, and no two batches for each other's
-- rows. The 20 newest callers of a secret are kept; that a scope was used is written at most once an hour.
CREATE FUNCTION auth.note_key_uses(uses jsonb) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM pg_advisory_xact_lock(7301007);
    WITH given AS (
        SELECT s.tenant_id, s.key_id, s.id AS secret_id, u.address, u.agent, u.at, u.scopes
        FROM jsonb_to_recordset(uses)
            AS u(tenant_id uuid, secret_id uuid, address text, agent text, at timestamptz, scopes text[])
        JOIN auth.api_key_secrets s ON s.tenant_id = u.tenant_id AND s.id = u.secret_id
    ), callers AS (
        INSERT INTO auth.key_uses AS c (tenant_id, secret_id, address, agent, last_at)
        SELECT g.tenant_id, g.secret_id, g.address, g.agent, max(g.at) FROM given g GROUP BY 1, 2, 3, 4
        ON CONFLICT (tenant_id, secret_id, address, agent) DO UPDATE SET last_at = EXCLUDED.last_at
        WHERE c.last_at < EXCLUDED.last_at
    )
    INSERT INTO auth.key_scope_uses AS c (tenant_id, key_id, scope, last_at)
    SELECT g.tenant_id, g.key_id, scope, max(g.at) FROM given g, unnest(g.scopes) scope GROUP BY 1, 2, 3
    ON CONFLICT (tenant_id, key_id, scope) DO UPDATE SET last_at = EXCLUDED.last_at
    WHERE c.last_at < EXCLUDED.last_at - interval '1 hour';
    DELETE FROM auth.key_uses d USING (
        SELECT c.tenant_id, c.secret_id, c.address, c.agent,
               row_number() OVER (PARTITION BY c.tenant_id, c.secret_id ORDER BY c.last_at DESC) AS place
        FROM auth.key_uses c JOIN (
            SELECT DISTINCT u.tenant_id, u.secret_id FROM jsonb_to_recordset(uses) AS u(tenant_id uuid, secret_id uuid)
        ) touched ON touched.tenant_id = c.tenant_id AND touched.secret_id = c.secret_id
    ) r WHERE r.place > 20
        AND (r.tenant_id, r.secret_id, r.address, r.agent) = (d.tenant_id, d.secret_id, d.address, d.agent);
END $$;

-- What is told of uses is the present tenant's. Per secret the newest `most` callers.
CREATE FUNCTION auth.key_uses_of(wanted uuid[], most integer,
    OUT key_id uuid, OUT secret_id uuid, OUT address text, OUT agent text, OUT last_at timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.key_id, s.id, u.address, u.agent, u.last_at FROM auth.api_key_secrets s
    CROSS JOIN LATERAL (
        SELECT c.address, c.agent, c.last_at FROM auth.key_uses c
        WHERE c.tenant_id = s.tenant_id AND c.secret_id = s.id ORDER BY c.last_at DESC LIMIT most) u
    WHERE s.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid AND s.key_id = ANY (wanted)
    ORDER BY u.last_at DESC $$;

CREATE FUNCTION auth.key_scopes_used(wanted uuid[], OUT key_id uuid, OUT scope text, OUT last_at timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.key_id, c.scope, c.last_at FROM auth.key_scope_uses c
    WHERE c.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid AND c.key_id = ANY (wanted) $$;

-- For the operator: how many secrets in force are hashed under which pepper, over all tenants.
CREATE FUNCTION auth.count_peppers(OUT pepper text, OUT secrets bigint)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.pepper, count(*) FROM auth.api_key_secrets s
    JOIN auth.api_keys k ON k.tenant_id = s.tenant_id AND k.key_id = s.key_id
    WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
        AND (s.ends_at IS NULL OR s.ends_at > now())
    GROUP BY s.pepper ORDER BY 2 DESC, 1 $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mirror_key_secret(), auth.mirror_service_account() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.begin_api_key(bytea[]), auth.note_key_uses(jsonb), auth.key_uses_of(uuid[], integer),
    auth.key_scopes_used(uuid[]) TO sentinel_app;
GRANT EXECUTE ON FUNCTION auth.count_peppers() TO sentinel_worker;
