-- A person's second factors and passkeys, sign-ins that wait for one, and what a tenant asks of its people. Of no tenant.

CREATE TABLE auth.totps (
    user_id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE, secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), last_step bigint NOT NULL);

CREATE TABLE auth.recovery_codes (
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE, code_hash bytea NOT NULL, used_at timestamptz,
    PRIMARY KEY (user_id, code_hash));

CREATE TABLE auth.passkeys (
    credential_id bytea PRIMARY KEY, id uuid NOT NULL UNIQUE, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    name text NOT NULL, public_key bytea NOT NULL, sign_count bigint NOT NULL, synced boolean NOT NULL,
    transports text[] NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), used_at timestamptz, suspect_at timestamptz);
CREATE INDEX ON auth.passkeys (user_id);

CREATE TABLE auth.challenges (
    handle_hash bytea PRIMARY KEY, purpose text NOT NULL, bound bytea NOT NULL, challenge bytea NOT NULL,
    expires_at timestamptz NOT NULL);
CREATE INDEX ON auth.challenges (expires_at);

CREATE TABLE auth.pending_sign_ins (
    token_hash bytea PRIMARY KEY, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE, methods text[] NOT NULL,
    expires_at timestamptz NOT NULL, attempts integer NOT NULL DEFAULT 0);
CREATE INDEX ON auth.pending_sign_ins (user_id);
CREATE INDEX ON auth.pending_sign_ins (expires_at);

-- Whoever was half-way in with an older password begins again.
CREATE FUNCTION auth.forget_pending() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF NEW.password_hash <> OLD.password_hash THEN
        DELETE FROM auth.pending_sign_ins p WHERE p.user_id = NEW.id;
    END IF;
    RETURN NULL; END $$;
CREATE TRIGGER forget_pending AFTER UPDATE OF password_hash ON auth.users
    FOR EACH ROW EXECUTE FUNCTION auth.forget_pending();

-- Second factors.

CREATE FUNCTION auth.factors_of(whose uuid, OUT totp_at timestamptz, OUT passkeys integer, OUT codes_left integer)
RETURNS record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT (SELECT t.created_at FROM auth.totps t WHERE t.user_id = whose),
           (SELECT count(*)::integer FROM auth.passkeys p WHERE p.user_id = whose),
           (SELECT count(*)::integer FROM auth.recovery_codes c WHERE c.user_id = whose AND c.used_at IS NULL) $$;

CREATE FUNCTION auth.add_totp(whose uuid, sealed bytea, step bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.totps (user_id, secret, last_step) VALUES (whose, sealed, step) ON CONFLICT DO NOTHING;
    RETURN FOUND; END $$;

CREATE FUNCTION auth.totp_of(whose uuid) RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.secret FROM auth.totps t WHERE t.user_id = whose $$;

-- A code counts once: the step must lie after the last one that was used (RFC 6238, 5.2).
CREATE FUNCTION auth.use_totp(whose uuid, step bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.totps t SET last_step = step WHERE t.user_id = whose AND t.last_step < step;
    RETURN FOUND; END $$;

CREATE FUNCTION auth.drop_totp(whose uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    DELETE FROM auth.totps t WHERE t.user_id = whose;
    RETURN FOUND; END $$;

CREATE FUNCTION auth.keep_recovery_codes(whose uuid, hashes bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.recovery_codes c WHERE c.user_id = whose;
    INSERT INTO auth.recovery_codes (user_id, code_hash) SELECT whose, unnest(hashes) $$;

CREATE FUNCTION auth.use_recovery_code(whose uuid, hash bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.recovery_codes c SET used_at = now()
    WHERE c.user_id = whose AND c.code_hash = hash AND c.used_at IS NULL;
    RETURN FOUND; END $$;

-- Passkeys, and the challenges that they answer: each is taken once, for its purpose, by whom it was made for.

CREATE FUNCTION auth.passkeys_of(whose uuid, OUT id uuid, OUT credential_id bytea, OUT name text, OUT synced boolean,
    OUT transports text[], OUT created_at timestamptz, OUT used_at timestamptz, OUT suspect_at timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.id, p.credential_id, p.name, p.synced, p.transports, p.created_at, p.used_at, p.suspect_at
    FROM auth.passkeys p WHERE p.user_id = whose ORDER BY p.created_at, p.id $$;

CREATE FUNCTION auth.find_passkey(wanted bytea, OUT user_id uuid, OUT email text, OUT public_key bytea,
    OUT sign_count bigint, OUT suspect boolean)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.email, p.public_key, p.sign_count, p.suspect_at IS NOT NULL
    FROM auth.passkeys p JOIN auth.users u ON u.id = p.user_id WHERE p.credential_id = wanted $$;

CREATE FUNCTION auth.add_passkey(new_id uuid, whose uuid, credential bytea, called text, key bytea, counted bigint,
    is_synced boolean, by_transports text[], most integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM FROM auth.users u WHERE u.id = whose FOR UPDATE;
    IF (SELECT count(*) >= most FROM auth.passkeys p WHERE p.user_id = whose) THEN RETURN false; END IF;
    INSERT INTO auth.passkeys (credential_id, id, user_id, name, public_key, sign_count, synced, transports)
    VALUES (credential, new_id, whose, called, key, counted, is_synced, by_transports) ON CONFLICT DO NOTHING;
    RETURN FOUND; END $$;

CREATE FUNCTION auth.use_passkey(wanted bytea, old_count bigint, new_count bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.passkeys p SET sign_count = new_count, used_at = now()
    WHERE p.credential_id = wanted AND p.sign_count = old_count AND p.suspect_at IS NULL;
    RETURN FOUND; END $$;

CREATE FUNCTION auth.suspect_passkey(wanted bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.passkeys p SET suspect_at = coalesce(p.suspect_at, now()) WHERE p.credential_id = wanted $$;

CREATE FUNCTION auth.drop_passkey(whose uuid, which uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    DELETE FROM auth.passkeys p WHERE p.user_id = whose AND p.id = which;
    RETURN FOUND; END $$;

CREATE FUNCTION auth.keep_challenge(hash bytea, wanted text, bound_to bytea, new_challenge bytea, lasts interval)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.challenges (handle_hash, purpose, bound, challenge, expires_at)
    VALUES (hash, wanted, bound_to, new_challenge, now() + lasts) $$;

CREATE FUNCTION auth.take_challenge(hash bytea, wanted text, bound_to bytea) RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE found auth.challenges; BEGIN
    DELETE FROM auth.challenges c WHERE c.handle_hash = hash RETURNING c.* INTO found;
    IF found.purpose = wanted AND found.bound = bound_to AND found.expires_at > now() THEN RETURN found.challenge; END IF;
    RETURN NULL; END $$;

-- Sign-ins that wait for a second factor, and sessions.

CREATE FUNCTION auth.begin_sign_in(hash bytea, whose uuid, by_methods text[], lasts interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.pending_sign_ins (token_hash, user_id, methods, expires_at)
    VALUES (hash, whose, by_methods, now() + lasts) $$;

CREATE FUNCTION auth.pending_sign_in(hash bytea, most integer, OUT user_id uuid, OUT email text, OUT methods text[])
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.email, p.methods FROM auth.pending_sign_ins p JOIN auth.users u ON u.id = p.user_id
    WHERE p.token_hash = hash AND p.expires_at > now() AND p.attempts < most $$;

-- Counted before the factor is looked at; the row stays locked until then, so that guesses queue.
CREATE FUNCTION auth.try_sign_in(hash bytea, most integer, OUT user_id uuid, OUT email text, OUT methods text[])
RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.pending_sign_ins p SET attempts = p.attempts + 1 FROM auth.users u
    WHERE p.token_hash = hash AND p.expires_at > now() AND p.attempts < most AND u.id = p.user_id
    RETURNING u.id, u.email, p.methods $$;

CREATE FUNCTION auth.end_sign_in(hash bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.pending_sign_ins p WHERE p.token_hash = hash $$;

CREATE FUNCTION auth.renew_session(old_hash bytea, new_hash bytea, by_methods text[], strong boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.sessions s SET token_hash = new_hash, confirmed_at = now(), used_at = now(),
        strong_at = CASE WHEN strong THEN now() ELSE s.strong_at END,
        methods = ARRAY(SELECT DISTINCT m FROM unnest(s.methods || by_methods) m ORDER BY m)
    WHERE s.token_hash = old_hash AND s.expires_at > now() AND s.used_at + s.idle > now();
    RETURN FOUND; END $$;

DROP FUNCTION auth.account_sessions(bytea);
CREATE FUNCTION auth.account_sessions(hash bytea, OUT id uuid, OUT created_at timestamptz, OUT used_at timestamptz,
    OUT address text, OUT agent text, OUT methods text[], OUT current boolean)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.id, o.created_at, o.used_at, o.address, o.agent, o.methods, o.token_hash = hash
    FROM auth.sessions s JOIN auth.sessions o ON o.user_id = s.user_id
    WHERE s.token_hash = hash AND o.expires_at > now() AND o.used_at + o.idle > now()
    ORDER BY o.token_hash = hash DESC, o.used_at DESC LIMIT 200 $$;

-- What a tenant asks of its people: both answer for the tenant that the transaction is bound to, and no other.

CREATE FUNCTION auth.members_with_factor() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.user_id FROM auth.memberships m
    WHERE m.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid
    AND (EXISTS (SELECT FROM auth.totps t WHERE t.user_id = m.user_id)
         OR EXISTS (SELECT FROM auth.passkeys p WHERE p.user_id = m.user_id)) $$;

CREATE FUNCTION auth.end_weak_sessions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE ended integer; BEGIN
    DELETE FROM auth.sessions s USING auth.memberships m
    WHERE m.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid
    AND s.user_id = m.user_id AND s.strong_at IS NULL AND s.sso_tenant_id IS DISTINCT FROM m.tenant_id;
    GET DIAGNOSTICS ended = ROW_COUNT;
    RETURN ended; END $$;

-- One's own data: all that was done to the account, and its end.

CREATE FUNCTION auth.account_history(hash bytea, OUT at timestamptz, OUT action text, OUT address text, OUT agent text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.at, e.action, e.address, e.agent FROM auth.sessions s JOIN auth.account_events e ON e.user_id = s.user_id
    WHERE s.token_hash = hash ORDER BY e.at, e.id $$;

CREATE FUNCTION auth.erase_account(whose uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE address text; BEGIN
    SELECT u.email INTO address FROM auth.users u WHERE u.id = whose FOR UPDATE;
    IF address IS NULL OR EXISTS (SELECT FROM auth.memberships m WHERE m.user_id = whose) THEN RETURN false; END IF;
    DELETE FROM auth.sessions s WHERE s.user_id = whose;
    DELETE FROM auth.attempts a WHERE a.email = address;
    DELETE FROM auth.mails m WHERE m.recipient = address AND m.done_at IS NOT NULL;
    DELETE FROM auth.users u WHERE u.id = whose;
    RETURN true; END $$;

-- For the worker.

CREATE FUNCTION auth.sweep_factors() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.challenges WHERE expires_at < now();
    DELETE FROM auth.pending_sign_ins WHERE expires_at < now() $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.factors_of(uuid), auth.add_totp(uuid, bytea, bigint), auth.totp_of(uuid), auth.use_totp(uuid, bigint), auth.drop_totp(uuid),
    auth.keep_recovery_codes(uuid, bytea[]), auth.use_recovery_code(uuid, bytea), auth.passkeys_of(uuid),
    auth.find_passkey(bytea), auth.add_passkey(uuid, uuid, bytea, text, bytea, bigint, boolean, text[], integer),
    auth.use_passkey(bytea, bigint, bigint), auth.suspect_passkey(bytea), auth.drop_passkey(uuid, uuid),
    auth.keep_challenge(bytea, text, bytea, bytea, interval), auth.take_challenge(bytea, text, bytea),
    auth.begin_sign_in(bytea, uuid, text[], interval), auth.pending_sign_in(bytea, integer),
    auth.try_sign_in(bytea, integer), auth.end_sign_in(bytea), auth.renew_session(bytea, bytea, text[], boolean),
    auth.account_sessions(bytea), auth.members_with_factor(), auth.end_weak_sessions(), auth.account_history(bytea),
    auth.erase_account(uuid) TO sentinel_app;
GRANT EXECUTE ON FUNCTION auth.sweep_factors() TO sentinel_worker;
