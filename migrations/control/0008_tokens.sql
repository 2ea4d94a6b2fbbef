-- Tokens for programs: the keys that sign access tokens, and families of refresh tokens. A family is a session.

ALTER TABLE auth.sessions ADD COLUMN program_tenant_id uuid;

CREATE TABLE auth.signing_keys (
    kid text PRIMARY KEY, wrapped bytea, public bytea NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
    signs_from timestamptz NOT NULL, revoked_at timestamptz, CHECK (wrapped IS NOT NULL OR revoked_at IS NOT NULL));

CREATE TABLE auth.refresh_tokens (
    token_hash bytea PRIMARY KEY, session_id uuid NOT NULL REFERENCES auth.sessions (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL, used_at timestamptz);
CREATE INDEX ON auth.refresh_tokens (session_id);

-- The key that signs now: the newest one whose time has come. `due` where none signs or it is older than `most_age`,
-- and no newer one is published yet.
CREATE FUNCTION auth.signing_key(most_age interval, OUT kid text, OUT wrapped bytea, OUT due boolean)
RETURNS record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE began timestamptz; BEGIN
    SELECT k.kid, k.wrapped, k.signs_from INTO kid, wrapped, began FROM auth.signing_keys k
    WHERE k.revoked_at IS NULL AND k.signs_from <= now() ORDER BY k.signs_from DESC, k.kid LIMIT 1;
    due := kid IS NULL OR (began < now() - most_age AND NOT EXISTS (
        SELECT FROM auth.signing_keys k WHERE k.revoked_at IS NULL AND k.signs_from > now())); END $$;

-- A key that is added is published for `lead` before it signs, unless none signs. False where one waits already, or
-- (with `most_age`) where the present one is younger. Keys whose last token is long over are forgotten.
CREATE FUNCTION auth.add_signing_key(new_kid text, new_wrapped bytea, new_public bytea, lead interval, most_age interval)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE began timestamptz; BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('signing keys', 0));
    SELECT max(k.signs_from) INTO began FROM auth.signing_keys k WHERE k.revoked_at IS NULL;
    IF began > now() OR began > now() - most_age THEN RETURN false; END IF;
    INSERT INTO auth.signing_keys (kid, wrapped, public, signs_from)
    VALUES (new_kid, new_wrapped, new_public, now() + CASE WHEN began IS NULL THEN interval '0' ELSE lead END);
    DELETE FROM auth.signing_keys k WHERE coalesce(k.revoked_at, k.signs_from) < now() - interval '1 day' AND EXISTS (
        SELECT FROM auth.signing_keys n WHERE n.revoked_at IS NULL AND n.signs_from > k.signs_from
        AND n.signs_from < now() - interval '1 day');
    RETURN true; END $$;

-- Keys by which a token may still be checked: `over` after the next one began to sign, a key has signed nothing in force.
CREATE FUNCTION auth.published_keys(over interval, OUT kid text, OUT public bytea, OUT created_at timestamptz,
    OUT signs_from timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.kid, k.public, k.created_at, k.signs_from FROM auth.signing_keys k
    WHERE k.revoked_at IS NULL AND NOT EXISTS (SELECT FROM auth.signing_keys n WHERE n.revoked_at IS NULL
        AND n.signs_from > k.signs_from AND n.signs_from <= now() - over)
    ORDER BY k.signs_from DESC, k.kid $$;

-- What was leaked opens nothing more from the next request on; its private part is forgotten. Null: all keys. Where none
-- signs any more, the one that was waiting does.
CREATE FUNCTION auth.revoke_signing_keys(which text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE revoked integer; BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('signing keys', 0));
    UPDATE auth.signing_keys k SET revoked_at = now(), wrapped = NULL
    WHERE k.revoked_at IS NULL AND (which IS NULL OR k.kid = which);
    GET DIAGNOSTICS revoked = ROW_COUNT;
    UPDATE auth.signing_keys k SET signs_from = now() WHERE k.revoked_at IS NULL AND k.signs_from > now()
        AND NOT EXISTS (SELECT FROM auth.signing_keys n WHERE n.revoked_at IS NULL AND n.signs_from <= now());
    RETURN revoked; END $$;

-- Makes the session of a sign-in a program's, for one tenant; whoever holds the session's own token shall forget it.
CREATE FUNCTION auth.begin_family(old_hash bytea, wanted_tenant uuid, hash bytea, lasts interval, most interval)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE which uuid; BEGIN
    UPDATE auth.sessions s SET program_tenant_id = wanted_tenant, expires_at = now() + most, idle = lasts,
        token_hash = sha256(s.token_hash) WHERE s.token_hash = old_hash RETURNING s.id INTO which;
    INSERT INTO auth.refresh_tokens (token_hash, session_id, expires_at) VALUES (hash, which, now() + lasts); END $$;

-- Spends a refresh token for the next one of its family. `reused`: it was spent before, so that two hold it: the family
-- has ended. The family is locked first, so that of two at once the second one is the reuse.
CREATE FUNCTION auth.spend_refresh_token(hash bytea, next_hash bytea, lasts interval,
    OUT session_id uuid, OUT user_id uuid, OUT tenant_id uuid, OUT reused boolean)
RETURNS SETOF record LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE found_token auth.refresh_tokens; BEGIN
    PERFORM FROM auth.sessions s JOIN auth.refresh_tokens r ON r.session_id = s.id WHERE r.token_hash = hash
        FOR UPDATE OF s;
    SELECT r.* INTO found_token FROM auth.refresh_tokens r WHERE r.token_hash = hash;
    IF NOT FOUND THEN RETURN; END IF;
    reused := found_token.used_at IS NOT NULL;
    SELECT s.id, s.user_id, s.program_tenant_id INTO session_id, user_id, tenant_id
    FROM auth.sessions s WHERE s.id = found_token.session_id AND s.expires_at > now() AND s.used_at + s.idle > now();
    IF NOT FOUND OR (NOT reused AND found_token.expires_at <= now()) THEN RETURN; END IF;
    IF reused THEN
        DELETE FROM auth.sessions s WHERE s.id = found_token.session_id;
    ELSE
        UPDATE auth.refresh_tokens r SET used_at = now() WHERE r.token_hash = hash;
        DELETE FROM auth.refresh_tokens r WHERE r.session_id = found_token.session_id AND r.expires_at <= now();
        INSERT INTO auth.refresh_tokens (token_hash, session_id, expires_at)
        VALUES (next_hash, found_token.session_id, now() + lasts);
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION auth.end_family(hash bytea) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE whose uuid; BEGIN
    DELETE FROM auth.sessions s USING auth.refresh_tokens r
    WHERE r.token_hash = hash AND s.id = r.session_id RETURNING s.user_id INTO whose;
    RETURN whose; END $$;

-- Authentication and context in one round trip, like begin_session: for a token that was signed by a key in force.
CREATE FUNCTION auth.begin_token(signed_by text, which uuid, whose uuid, wanted_tenant uuid,
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
    JOIN auth.signing_keys k ON k.kid = signed_by AND k.revoked_at IS NULL
    WHERE s.id = which AND s.user_id = whose AND s.program_tenant_id = wanted_tenant
      AND s.expires_at > now() AND s.used_at + s.idle > now();
    PERFORM set_config('app.current_tenant', '', true);
    IF session_id IS NULL THEN RETURN; END IF;
    UPDATE auth.sessions s SET used_at = now() WHERE s.id = which AND s.used_at < now() - interval '1 minute';
    SELECT t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason, t.mfa_required, t.sso_required, m.role,
           ARRAY(SELECT e.permission FROM auth.extra_permissions e WHERE e.tenant_id = t.tenant_id
                 AND e.user_id = m.user_id AND (e.until IS NULL OR e.until > now())),
           t.level, t.schema_name, t.database_name, t.epoch
    INTO tenant_id, slug, tenant_name, plan, status, status_reason, mfa_required, sso_required, role, permissions,
         level, schema_name, database_name, epoch
    FROM auth.tenants t JOIN auth.memberships m ON m.tenant_id = t.tenant_id
    WHERE t.tenant_id = wanted_tenant AND m.user_id = whose AND t.status <> 'purged';
    PERFORM set_config('app.current_tenant', coalesce(begin_token.tenant_id::text, ''), true);
    RETURN NEXT;
END $$;

CREATE OR REPLACE FUNCTION auth.end_tenant_sessions(whose uuid) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.sessions s WHERE s.user_id = whose
    AND nullif(current_setting('app.current_tenant', true), '')::uuid IN (s.sso_tenant_id, s.program_tenant_id) $$;

-- A sign-up with a known address makes no tenant; its slug is taken all the same, as that of an unknown one is.
CREATE TABLE auth.held_slugs (slug text PRIMARY KEY, since timestamptz NOT NULL DEFAULT now());

CREATE FUNCTION auth.hold_slug(wanted text) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.held_slugs (slug) VALUES (wanted) ON CONFLICT DO NOTHING $$;

CREATE OR REPLACE FUNCTION auth.slug_taken(wanted text) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM auth.tenants WHERE slug = wanted)
        OR EXISTS (SELECT FROM auth.held_slugs h WHERE h.slug = wanted) $$;

-- Which of the sessions of whoever asks are programs', and in which tenant.
CREATE FUNCTION auth.account_programs(hash bytea, OUT session_id uuid, OUT tenant_name text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.id, t.name FROM auth.sessions s JOIN auth.sessions o ON o.user_id = s.user_id
    JOIN auth.tenants t ON t.tenant_id = o.program_tenant_id
    WHERE s.token_hash = hash AND s.expires_at > now() $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.signing_key(interval), auth.add_signing_key(text, bytea, bytea, interval, interval),
    auth.published_keys(interval), auth.revoke_signing_keys(text), auth.begin_family(bytea, uuid, bytea, interval, interval),
    auth.spend_refresh_token(bytea, bytea, interval), auth.end_family(bytea),
    auth.begin_token(text, uuid, uuid, uuid), auth.account_programs(bytea),
    auth.hold_slug(text) TO sentinel_app;
