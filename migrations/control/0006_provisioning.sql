-- Identity providers: their tokens, known before a tenant is, and the accounts of the people that they send.
-- Sign-ins on their way into the logs of tenants.

CREATE TABLE auth.scim_tokens (
    secret_hash bytea PRIMARY KEY, tenant_id uuid NOT NULL, token_id uuid NOT NULL, hint text NOT NULL,
    revoked_at timestamptz, UNIQUE (tenant_id, token_id));

CREATE FUNCTION auth.mirror_scim_token() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM auth.scim_tokens WHERE secret_hash = OLD.secret_hash AND tenant_id = OLD.tenant_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO auth.scim_tokens (secret_hash, tenant_id, token_id, hint, revoked_at)
        VALUES (NEW.secret_hash, NEW.tenant_id, NEW.id, NEW.hint, NEW.revoked_at);
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.begin_scim(hashes bytea[],
    OUT token_id uuid, OUT hint text, OUT revoked boolean,
    OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT plan text, OUT status text, OUT status_reason text,
    OUT level text, OUT schema_name text, OUT database_name text, OUT epoch bigint)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT k.token_id, k.hint, k.revoked_at IS NOT NULL, t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason,
           t.level, t.schema_name, t.database_name, t.epoch
    INTO token_id, hint, revoked, tenant_id, slug, tenant_name, plan, status, status_reason,
         level, schema_name, database_name, epoch
    FROM auth.scim_tokens k JOIN auth.tenants t ON t.tenant_id = k.tenant_id
    WHERE k.secret_hash = ANY (hashes) AND t.status <> 'purged';
    PERFORM set_config('app.current_tenant',
        CASE WHEN begin_scim.revoked IS FALSE THEN begin_scim.tenant_id::text ELSE '' END, true);
    IF token_id IS NOT NULL THEN RETURN NEXT; END IF;
END $$;

-- Finds the account that is known already, else that of an address, else makes one. One that is there stays as it is.
CREATE FUNCTION auth.provision_user(known uuid, new_id uuid, wanted text, new_name text, new_hash text,
    OUT user_id uuid, OUT made boolean, OUT verified boolean)
RETURNS record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    made := false;
    SELECT u.id, u.verified_at IS NOT NULL INTO user_id, verified FROM auth.users u WHERE u.id = known;
    IF user_id IS NOT NULL THEN RETURN; END IF;
    INSERT INTO auth.users (id, email, name, password_hash, verified_at)
    VALUES (new_id, wanted, new_name, new_hash, now()) ON CONFLICT (email) DO NOTHING;
    made := FOUND;
    SELECT u.id, u.verified_at IS NOT NULL INTO user_id, verified FROM auth.users u WHERE u.email = wanted;
END $$;

-- Which sessions came into which tenants: the first time is in the tenant's log.

CREATE TABLE auth.session_entries (
    session_id uuid NOT NULL REFERENCES auth.sessions (id) ON DELETE CASCADE, tenant_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (session_id, tenant_id));

CREATE FUNCTION auth.note_entry(which uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.session_entries (session_id, tenant_id)
    SELECT s.id, nullif(current_setting('app.current_tenant', true), '')::uuid FROM auth.sessions s WHERE s.id = which
    ON CONFLICT DO NOTHING;
    RETURN FOUND; END $$;

-- Failed sign-ins on their way into the logs of tenants; kept for an hour for the sake of the cap.

CREATE TABLE auth.sign_in_failures (
    id uuid PRIMARY KEY, email text NOT NULL, at timestamptz NOT NULL DEFAULT now(), address text, agent text,
    lease_until timestamptz, done_at timestamptz);
CREATE INDEX ON auth.sign_in_failures (email, at);
CREATE INDEX ON auth.sign_in_failures (at) WHERE done_at IS NULL;

CREATE FUNCTION auth.note_failure(new_id uuid, wanted text, from_address text, from_agent text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.sign_in_failures (id, email, address, agent) SELECT new_id, wanted, from_address, from_agent
    WHERE (SELECT count(*) < 10 FROM auth.sign_in_failures f WHERE f.email = wanted AND f.at > now() - interval '1 hour') $$;

CREATE FUNCTION auth.claim_failures(most integer, lease interval, OUT id uuid, OUT email text, OUT at timestamptz,
    OUT address text, OUT agent text, OUT user_id uuid, OUT tenant_id uuid)
RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH due AS (
        SELECT f.id FROM auth.sign_in_failures f
        WHERE f.done_at IS NULL AND (f.lease_until IS NULL OR f.lease_until < now())
        ORDER BY f.at LIMIT most FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE auth.sign_in_failures f SET lease_until = now() + lease FROM due WHERE f.id = due.id
        RETURNING f.id, f.email, f.at, f.address, f.agent
    )
    SELECT k.id, k.email, k.at, k.address, k.agent, u.id, t.tenant_id FROM taken k
    LEFT JOIN auth.users u ON u.email = k.email LEFT JOIN auth.memberships m ON m.user_id = u.id
    LEFT JOIN auth.tenants t ON t.tenant_id = m.tenant_id AND t.status <> 'purged' ORDER BY k.at $$;

CREATE FUNCTION auth.settle_failures(ids uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.sign_in_failures f SET done_at = now() WHERE f.id = ANY (ids);
    DELETE FROM auth.sign_in_failures f WHERE f.done_at IS NOT NULL AND f.at < now() - interval '1 hour' $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mirror_scim_token() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.begin_scim(bytea[]), auth.provision_user(uuid, uuid, text, text, text), auth.note_entry(uuid),
    auth.note_failure(uuid, text, text, text) TO sentinel_app;
GRANT EXECUTE ON FUNCTION auth.claim_failures(integer, interval), auth.settle_failures(uuid[]) TO sentinel_worker;
