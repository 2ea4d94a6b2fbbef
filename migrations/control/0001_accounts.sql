-- People's accounts: mail to them, one-time tokens, changes of address, sessions and what happened. Of no tenant.

CREATE TABLE auth.attempts (
    email text PRIMARY KEY, failures integer NOT NULL, locked_until timestamptz, at timestamptz NOT NULL);
CREATE INDEX ON auth.attempts (at);

CREATE TABLE auth.mails (
    id uuid PRIMARY KEY, kind text NOT NULL, recipient text NOT NULL, user_id uuid REFERENCES auth.users ON DELETE CASCADE,
    client text, created_at timestamptz NOT NULL DEFAULT now(), due_at timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz, attempts integer NOT NULL DEFAULT 0, done_at timestamptz, last_error text);
CREATE INDEX ON auth.mails (due_at) WHERE done_at IS NULL;
CREATE INDEX ON auth.mails (recipient, created_at);
CREATE INDEX ON auth.mails (client, created_at);
CREATE INDEX ON auth.mails (created_at);

CREATE TABLE auth.tokens (
    token_hash bytea PRIMARY KEY, purpose text NOT NULL, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    email text NOT NULL, expires_at timestamptz NOT NULL, used_at timestamptz);
CREATE INDEX ON auth.tokens (user_id, purpose);
CREATE INDEX ON auth.tokens (expires_at);

CREATE TABLE auth.email_changes (
    user_id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE, old_email text NOT NULL, new_email text NOT NULL,
    expires_at timestamptz NOT NULL, old_confirmed boolean NOT NULL DEFAULT false,
    new_confirmed boolean NOT NULL DEFAULT false);

CREATE TABLE auth.account_events (
    id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT now(), action text NOT NULL, address text, agent text);
CREATE INDEX ON auth.account_events (user_id, at);

-- For the web. What changes an account asks for the session that it is done in, or for a token that was mailed.

CREATE FUNCTION auth.note_login(wanted text, good boolean, OUT locked_now boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE so_far integer; BEGIN
    locked_now := false;
    IF good THEN DELETE FROM auth.attempts WHERE email = wanted; RETURN; END IF;
    INSERT INTO auth.attempts AS a (email, failures, at) VALUES (wanted, 1, now())
    ON CONFLICT (email) DO UPDATE SET failures = a.failures + 1, at = now() RETURNING a.failures INTO so_far;
    IF so_far < 5 THEN RETURN; END IF;
    UPDATE auth.attempts SET locked_until = now()
        + least(interval '1 hour', interval '30 seconds' * power(2, least(so_far - 5, 8))) WHERE email = wanted;
    locked_now := so_far = 5;
END $$;

CREATE FUNCTION auth.request_mail(new_id uuid, new_kind text, wanted text, whose uuid, from_client text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mail to ' || wanted, 0));
    IF (SELECT count(*) >= 3 FROM auth.mails m
        WHERE m.recipient = wanted AND m.kind = new_kind AND m.created_at > now() - interval '1 hour')
    OR (SELECT count(*) >= 20 FROM auth.mails m
        WHERE m.recipient = wanted AND m.created_at > now() - interval '1 day')
    OR (SELECT count(*) >= 60 FROM auth.mails m
        WHERE m.client = from_client AND m.created_at > now() - interval '1 hour') THEN RETURN false; END IF;
    INSERT INTO auth.mails (id, kind, recipient, user_id, client) VALUES (new_id, new_kind, wanted, whose, from_client);
    RETURN true; END $$;

CREATE FUNCTION auth.peek_token(hash bytea, wanted text) RETURNS text LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.email FROM auth.tokens t
    WHERE t.token_hash = hash AND t.purpose = wanted AND t.used_at IS NULL AND t.expires_at > now() $$;

CREATE FUNCTION auth.redeem_verification(hash bytea, OUT user_id uuid, OUT email text) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE found_token auth.tokens; BEGIN
    UPDATE auth.tokens t SET used_at = now() WHERE t.token_hash = hash AND t.purpose = 'verification'
        AND t.used_at IS NULL AND t.expires_at > now() RETURNING t.* INTO found_token;
    IF found_token.user_id IS NULL THEN RETURN; END IF;
    UPDATE auth.users u SET verified_at = coalesce(u.verified_at, now())
        WHERE u.id = found_token.user_id AND u.email = found_token.email RETURNING u.id, u.email INTO user_id, email;
    IF FOUND THEN RETURN NEXT; END IF;
END $$;

CREATE FUNCTION auth.redeem_reset(hash bytea, new_hash text, OUT user_id uuid, OUT email text) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE found_token auth.tokens; BEGIN
    UPDATE auth.tokens t SET used_at = now() WHERE t.token_hash = hash AND t.purpose = 'reset'
        AND t.used_at IS NULL AND t.expires_at > now() RETURNING t.* INTO found_token;
    IF found_token.user_id IS NULL THEN RETURN; END IF;
    UPDATE auth.users u SET password_hash = new_hash, verified_at = coalesce(u.verified_at, now())
        WHERE u.id = found_token.user_id AND u.email = found_token.email RETURNING u.id, u.email INTO user_id, email;
    IF NOT FOUND THEN RETURN; END IF;
    DELETE FROM auth.sessions s WHERE s.user_id = found_token.user_id;
    DELETE FROM auth.attempts a WHERE a.email = found_token.email;
    DELETE FROM auth.email_changes c WHERE c.user_id = found_token.user_id;
    UPDATE auth.tokens t SET used_at = now() WHERE t.user_id = found_token.user_id AND t.used_at IS NULL;
    RETURN NEXT;
END $$;

CREATE FUNCTION auth.redeem_unlock(hash bytea) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE found_token auth.tokens; BEGIN
    UPDATE auth.tokens t SET used_at = now() WHERE t.token_hash = hash AND t.purpose = 'unlock'
        AND t.used_at IS NULL AND t.expires_at > now() RETURNING t.* INTO found_token;
    DELETE FROM auth.attempts a WHERE a.email = found_token.email;
    RETURN found_token.user_id; END $$;

-- One of the two confirmations; the second one changes the address. `done` tells which it was.
CREATE FUNCTION auth.redeem_email_change(hash bytea, wanted text,
    OUT user_id uuid, OUT old_email text, OUT new_email text, OUT done boolean) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE found_token auth.tokens; change auth.email_changes; BEGIN
    UPDATE auth.tokens t SET used_at = now() WHERE t.token_hash = hash AND t.purpose = wanted
        AND wanted IN ('email-old', 'email-new') AND t.used_at IS NULL AND t.expires_at > now()
        RETURNING t.* INTO found_token;
    IF found_token.user_id IS NULL THEN RETURN; END IF;
    UPDATE auth.email_changes c SET old_confirmed = c.old_confirmed OR wanted = 'email-old',
        new_confirmed = c.new_confirmed OR wanted = 'email-new'
        WHERE c.user_id = found_token.user_id AND c.expires_at > now()
        AND found_token.email = CASE wanted WHEN 'email-old' THEN c.old_email ELSE c.new_email END
        RETURNING c.* INTO change;
    IF change.user_id IS NULL THEN RETURN; END IF;
    user_id := change.user_id; old_email := change.old_email; new_email := change.new_email;
    done := change.old_confirmed AND change.new_confirmed;
    IF done THEN
        BEGIN
            UPDATE auth.users u SET email = change.new_email, verified_at = now()
                WHERE u.id = change.user_id AND u.email = change.old_email;
            IF NOT FOUND THEN RETURN; END IF;
        EXCEPTION WHEN unique_violation THEN RETURN;
        END;
        DELETE FROM auth.email_changes c WHERE c.user_id = change.user_id;
        UPDATE auth.tokens t SET used_at = now() WHERE t.user_id = change.user_id AND t.used_at IS NULL;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION auth.account_of(hash bytea, OUT user_id uuid, OUT session_id uuid, OUT email text, OUT name text,
    OUT password_hash text, OUT verified_at timestamptz, OUT created_at timestamptz,
    OUT new_email text, OUT old_confirmed boolean, OUT new_confirmed boolean)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, s.id, u.email, u.name, u.password_hash, u.verified_at, u.created_at,
           c.new_email, c.old_confirmed, c.new_confirmed
    FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
    LEFT JOIN auth.email_changes c ON c.user_id = u.id AND c.expires_at > now()
    WHERE s.token_hash = hash AND s.expires_at > now() AND s.used_at + s.idle > now() $$;

CREATE FUNCTION auth.account_sessions(hash bytea, OUT id uuid, OUT created_at timestamptz, OUT used_at timestamptz,
    OUT address text, OUT agent text, OUT current boolean)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.id, o.created_at, o.used_at, o.address, o.agent, o.token_hash = hash
    FROM auth.sessions s JOIN auth.sessions o ON o.user_id = s.user_id
    WHERE s.token_hash = hash AND o.expires_at > now() AND o.used_at + o.idle > now()
    ORDER BY o.token_hash = hash DESC, o.used_at DESC LIMIT 200 $$;

CREATE FUNCTION auth.end_session(hash bytea, which uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    DELETE FROM auth.sessions o USING auth.sessions s
    WHERE s.token_hash = hash AND o.user_id = s.user_id AND o.id = which;
    RETURN FOUND; END $$;

CREATE FUNCTION auth.end_other_sessions(hash bytea) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE ended integer; BEGIN
    DELETE FROM auth.sessions o USING auth.sessions s
    WHERE s.token_hash = hash AND o.user_id = s.user_id AND o.token_hash <> hash;
    GET DIAGNOSTICS ended = ROW_COUNT;
    RETURN ended; END $$;

CREATE FUNCTION auth.rename_account(hash bytea, new_name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.users u SET name = new_name FROM auth.sessions s WHERE s.token_hash = hash AND u.id = s.user_id $$;

CREATE FUNCTION auth.change_password(hash bytea, old_hash text, new_hash text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.users u SET password_hash = new_hash FROM auth.sessions s
    WHERE s.token_hash = hash AND u.id = s.user_id AND u.password_hash = old_hash;
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE auth.tokens t SET used_at = now() FROM auth.sessions s
    WHERE s.token_hash = hash AND t.user_id = s.user_id AND t.purpose = 'reset' AND t.used_at IS NULL;
    RETURN true; END $$;

CREATE FUNCTION auth.begin_email_change(hash bytea, wanted text, lasts interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.email_changes (user_id, old_email, new_email, expires_at)
    SELECT u.id, u.email, wanted, now() + lasts FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
    WHERE s.token_hash = hash
    ON CONFLICT (user_id) DO UPDATE SET old_email = EXCLUDED.old_email, new_email = EXCLUDED.new_email,
        expires_at = EXCLUDED.expires_at, old_confirmed = false, new_confirmed = false $$;

CREATE FUNCTION auth.drop_email_change(hash bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.email_changes c USING auth.sessions s WHERE s.token_hash = hash AND c.user_id = s.user_id $$;

CREATE FUNCTION auth.note_account(new_id uuid, whose uuid, what text, from_address text, from_agent text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.account_events (id, user_id, action, address, agent)
    VALUES (new_id, whose, what, from_address, from_agent) $$;

CREATE FUNCTION auth.account_events(hash bytea, OUT at timestamptz, OUT action text, OUT address text, OUT agent text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.at, e.action, e.address, e.agent FROM auth.sessions s JOIN auth.account_events e ON e.user_id = s.user_id
    WHERE s.token_hash = hash ORDER BY e.at DESC, e.id DESC LIMIT 20 $$;

CREATE FUNCTION auth.account_tenants(whose uuid) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.tenant_id FROM auth.memberships m JOIN auth.tenants t ON t.tenant_id = m.tenant_id
    WHERE m.user_id = whose AND t.status <> 'purged' $$;

-- For the worker, which sends the mail and so makes the tokens.

CREATE FUNCTION auth.claim_mails(most integer, lease interval,
    OUT id uuid, OUT kind text, OUT recipient text, OUT user_id uuid, OUT created_at timestamptz, OUT attempts integer)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH due AS (
        SELECT d.id FROM auth.mails d WHERE d.done_at IS NULL AND d.due_at <= now()
        AND (d.lease_until IS NULL OR d.lease_until < now()) ORDER BY d.due_at LIMIT most FOR UPDATE SKIP LOCKED)
    UPDATE auth.mails m SET lease_until = now() + lease, attempts = m.attempts + 1 FROM due WHERE m.id = due.id
    RETURNING m.id, m.kind, m.recipient, m.user_id, m.created_at, m.attempts;
END $$;

CREATE FUNCTION auth.settle_mail(which uuid, again interval, problem text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.mails m SET done_at = CASE WHEN again IS NULL THEN now() END, due_at = now() + coalesce(again, interval '0'),
        lease_until = NULL, last_error = problem WHERE m.id = which $$;

CREATE FUNCTION auth.sweep_accounts() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.mails WHERE done_at < now() - interval '2 days' AND created_at < now() - interval '2 days';
    DELETE FROM auth.tokens WHERE expires_at < now() - interval '7 days';
    DELETE FROM auth.attempts WHERE at < now() - interval '1 day' AND coalesce(locked_until, at) < now();
    DELETE FROM auth.sessions WHERE expires_at < now() $$;

CREATE FUNCTION auth.find_person(wanted text, OUT user_id uuid, OUT name text, OUT new_email text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.name, c.new_email FROM auth.users u
    LEFT JOIN auth.email_changes c ON c.user_id = u.id AND c.expires_at > now() WHERE u.email = wanted $$;

CREATE FUNCTION auth.person_changing(whose uuid, wanted text, OUT name text, OUT old_email text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.name, u.email FROM auth.users u JOIN auth.email_changes c ON c.user_id = u.id
    WHERE u.id = whose AND c.new_email = wanted AND c.expires_at > now() $$;

CREATE FUNCTION auth.issue_token(hash bytea, new_purpose text, whose uuid, for_email text, until timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.tokens (token_hash, purpose, user_id, email, expires_at)
    VALUES (hash, new_purpose, whose, for_email, until) ON CONFLICT (token_hash) DO NOTHING $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.note_login(text, boolean), auth.request_mail(uuid, text, text, uuid, text),
    auth.peek_token(bytea, text), auth.redeem_verification(bytea), auth.redeem_reset(bytea, text),
    auth.redeem_unlock(bytea), auth.redeem_email_change(bytea, text), auth.account_of(bytea),
    auth.account_sessions(bytea), auth.end_session(bytea, uuid), auth.end_other_sessions(bytea),
    auth.rename_account(bytea, text), auth.change_password(bytea, text, text),
    auth.begin_email_change(bytea, text, interval), auth.drop_email_change(bytea),
    auth.note_account(uuid, uuid, text, text, text), auth.account_events(bytea), auth.account_tenants(uuid)
    TO sentinel_app;
GRANT EXECUTE ON FUNCTION auth.claim_mails(integer, interval), auth.settle_mail(uuid, interval, text),
    auth.sweep_accounts(), auth.find_person(text), auth.person_changing(uuid, text),
    auth.issue_token(bytea, text, uuid, text, timestamptz) TO sentinel_worker;
