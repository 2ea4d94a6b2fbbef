-- Whom a provider vouched for when it opened a session, so that it can be asked for the same person anew; and the
-- short-lived rows of people on their way to it and back.

CREATE TABLE auth.session_subjects (
    session_id uuid PRIMARY KEY REFERENCES auth.sessions (id) ON DELETE CASCADE, connection_id uuid,
    issuer text NOT NULL, subject text NOT NULL);

CREATE TABLE auth.step_ups (
    state_hash bytea PRIMARY KEY, browser_hash bytea NOT NULL,
    session_id uuid NOT NULL REFERENCES auth.sessions (id) ON DELETE CASCADE, connection_id uuid,
    issuer text NOT NULL, subject text NOT NULL, nonce text NOT NULL, verifier text NOT NULL, next text,
    asked_at timestamptz NOT NULL, expires_at timestamptz NOT NULL);
CREATE INDEX ON auth.step_ups (expires_at);
CREATE INDEX ON auth.step_ups (session_id);

-- A session that a provider opened is as fresh as the provider says that its person's own sign-in there is.
CREATE FUNCTION auth.keep_session_subject(hash bytea, connection uuid, of_issuer text, of_subject text,
    proved timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.session_subjects (session_id, connection_id, issuer, subject)
    SELECT s.id, connection, of_issuer, of_subject FROM auth.sessions s WHERE s.token_hash = hash
    ON CONFLICT (session_id) DO NOTHING;
    UPDATE auth.sessions s SET confirmed_at = least(now(), proved) WHERE s.token_hash = hash $$;

CREATE FUNCTION auth.session_subject(hash bytea, OUT user_id uuid, OUT methods text[], OUT connection_id uuid,
    OUT issuer text, OUT subject text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.user_id, s.methods, o.connection_id, o.issuer, o.subject
    FROM auth.sessions s JOIN auth.session_subjects o ON o.session_id = s.id
    WHERE s.token_hash = hash AND s.expires_at > now() AND s.used_at + s.idle > now() $$;

CREATE FUNCTION auth.begin_step_up(hash bytea, browser bytea, session_hash bytea, new_nonce text, new_verifier text,
    target text, asked timestamptz, lasts interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.step_ups WHERE expires_at < now();
    INSERT INTO auth.step_ups (state_hash, browser_hash, session_id, connection_id, issuer, subject, nonce, verifier,
                               next, asked_at, expires_at)
    SELECT hash, browser, s.id, o.connection_id, o.issuer, o.subject, new_nonce, new_verifier, target, asked, now() + lasts
    FROM auth.sessions s JOIN auth.session_subjects o ON o.session_id = s.id WHERE s.token_hash = session_hash $$;

-- Once: the row goes with the first look from the browser and the session that began, for their connection.
CREATE FUNCTION auth.take_step_up(hash bytea, browser bytea, connection uuid, session_hash bytea, OUT issuer text,
    OUT subject text, OUT nonce text, OUT verifier text, OUT next text, OUT asked_at timestamptz)
RETURNS SETOF record LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.step_ups r USING auth.sessions s
    WHERE r.state_hash = hash AND r.browser_hash = browser AND r.connection_id IS NOT DISTINCT FROM connection
        AND r.expires_at > now() AND s.id = r.session_id AND s.token_hash = session_hash
    RETURNING r.issuer, r.subject, r.nonce, r.verifier, r.next, r.asked_at $$;

REVOKE ALL ON FUNCTION auth.keep_session_subject(bytea, uuid, text, text, timestamptz), auth.session_subject(bytea),
    auth.begin_step_up(bytea, bytea, bytea, text, text, text, timestamptz, interval),
    auth.take_step_up(bytea, bytea, uuid, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.keep_session_subject(bytea, uuid, text, text, timestamptz), auth.session_subject(bytea),
    auth.begin_step_up(bytea, bytea, bytea, text, text, text, timestamptz, interval),
    auth.take_step_up(bytea, bytea, uuid, bytea) TO sentinel_app;
