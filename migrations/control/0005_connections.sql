-- Single sign-on: which tenant a connection or a proven domain belongs to, whose a provider's subject is, and the
-- short-lived rows of a sign-in on its way to a provider and back.

CREATE TABLE auth.connections (
    connection_id uuid PRIMARY KEY, tenant_id uuid NOT NULL UNIQUE, status text NOT NULL);

-- Proven domains alone: the key is what keeps a domain with one tenant.
CREATE TABLE auth.email_domains (
    domain text PRIMARY KEY, tenant_id uuid NOT NULL, domain_id uuid NOT NULL, UNIQUE (tenant_id, domain_id));

CREATE TABLE auth.identities (
    issuer text NOT NULL, subject text NOT NULL, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (issuer, subject));
CREATE INDEX ON auth.identities (user_id);

CREATE TABLE auth.sso_flows (
    state_hash bytea PRIMARY KEY, browser_hash bytea NOT NULL, purpose text NOT NULL, connection_id uuid, tenant_id uuid,
    user_id uuid, nonce text NOT NULL, verifier text NOT NULL, next text,
    expires_at timestamptz NOT NULL);
CREATE INDEX ON auth.sso_flows (expires_at);

CREATE TABLE auth.sso_links (
    link_hash bytea PRIMARY KEY, browser_hash bytea NOT NULL, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    issuer text NOT NULL, subject text NOT NULL, connection_id uuid, tenant_id uuid, role text, next text,
    expires_at timestamptz NOT NULL);
CREATE INDEX ON auth.sso_links (expires_at);
CREATE INDEX ON auth.sso_links (user_id);

CREATE TABLE auth.sso_sessions (
    session_id uuid PRIMARY KEY REFERENCES auth.sessions (id) ON DELETE CASCADE, connection_id uuid NOT NULL,
    tenant_id uuid NOT NULL, sealed bytea NOT NULL);

CREATE FUNCTION auth.mirror_connection() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.connections WHERE connection_id = OLD.id AND tenant_id = OLD.tenant_id;
        DELETE FROM auth.sso_flows WHERE connection_id = OLD.id AND tenant_id = OLD.tenant_id;
        DELETE FROM auth.sso_links WHERE connection_id = OLD.id AND tenant_id = OLD.tenant_id;
        RETURN NULL;
    END IF;
    INSERT INTO auth.connections AS c (connection_id, tenant_id, status) VALUES (NEW.id, NEW.tenant_id, NEW.status)
    ON CONFLICT (connection_id) DO UPDATE SET status = EXCLUDED.status WHERE c.tenant_id = EXCLUDED.tenant_id;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_email_domain() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' AND OLD.verified_at IS NOT NULL THEN
        DELETE FROM auth.email_domains WHERE tenant_id = OLD.tenant_id AND domain_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.verified_at IS NOT NULL THEN
        INSERT INTO auth.email_domains (domain, tenant_id, domain_id) VALUES (NEW.domain, NEW.tenant_id, NEW.id);
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.find_connection(which uuid, OUT tenant_id uuid, OUT slug text, OUT tenant_name text, OUT status text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, c.status FROM auth.connections c JOIN auth.tenants t ON t.tenant_id = c.tenant_id
    WHERE c.connection_id = which AND t.status IN ('trial', 'active') $$;

CREATE FUNCTION auth.route_domain(wanted text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.connection_id FROM auth.email_domains d JOIN auth.connections c ON c.tenant_id = d.tenant_id
    JOIN auth.tenants t ON t.tenant_id = d.tenant_id
    WHERE d.domain = wanted AND c.status = 'on' AND t.status IN ('trial', 'active') $$;

CREATE FUNCTION auth.begin_sso(hash bytea, browser bytea, what text, connection uuid, tenant uuid, whose uuid,
    new_nonce text, new_verifier text, target text, lasts interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.sso_flows WHERE expires_at < now();
    INSERT INTO auth.sso_flows (state_hash, browser_hash, purpose, connection_id, tenant_id, user_id, nonce, verifier,
                                next, expires_at)
    VALUES (hash, browser, what, connection, tenant, whose, new_nonce, new_verifier, target, now() + lasts) $$;

-- Once: the row goes with the first look from the browser that began, for the connection that it began with.
CREATE FUNCTION auth.take_sso(hash bytea, browser bytea, connection uuid, OUT purpose text, OUT tenant_id uuid,
    OUT user_id uuid, OUT nonce text, OUT verifier text, OUT next text)
RETURNS SETOF record LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.sso_flows f WHERE f.state_hash = hash AND f.browser_hash = browser
        AND f.connection_id IS NOT DISTINCT FROM connection AND f.expires_at > now()
    RETURNING f.purpose, f.tenant_id, f.user_id, f.nonce, f.verifier, f.next $$;

CREATE FUNCTION auth.find_identity(of_issuer text, of_subject text, OUT user_id uuid, OUT email text, OUT name text,
    OUT verified boolean)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.email, u.name, u.verified_at IS NOT NULL
    FROM auth.identities i JOIN auth.users u ON u.id = i.user_id WHERE i.issuer = of_issuer AND i.subject = of_subject $$;

CREATE FUNCTION auth.find_account(wanted text, OUT user_id uuid, OUT email text, OUT name text, OUT verified boolean)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.email, u.name, u.verified_at IS NOT NULL FROM auth.users u WHERE u.email = wanted $$;

-- False where the subject is somebody else's already.
CREATE FUNCTION auth.link_identity(of_issuer text, of_subject text, whose uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.identities (issuer, subject, user_id) VALUES (of_issuer, of_subject, whose) ON CONFLICT DO NOTHING;
    RETURN EXISTS (SELECT FROM auth.identities i
                   WHERE i.issuer = of_issuer AND i.subject = of_subject AND i.user_id = whose); END $$;

CREATE FUNCTION auth.begin_sso_link(hash bytea, browser bytea, whose uuid, of_issuer text, of_subject text,
    connection uuid, tenant uuid, as_role text, target text, lasts interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.sso_links WHERE expires_at < now();
    INSERT INTO auth.sso_links (link_hash, browser_hash, user_id, issuer, subject, connection_id, tenant_id, role, next,
                                expires_at)
    VALUES (hash, browser, whose, of_issuer, of_subject, connection, tenant, as_role, target, now() + lasts) $$;

CREATE FUNCTION auth.sso_link(hash bytea, browser bytea, OUT user_id uuid, OUT email text, OUT name text, OUT issuer text,
    OUT subject text, OUT connection_id uuid, OUT tenant_id uuid, OUT tenant_name text, OUT role text, OUT next text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.id, u.email, u.name, l.issuer, l.subject, l.connection_id, l.tenant_id, t.name, l.role, l.next
    FROM auth.sso_links l JOIN auth.users u ON u.id = l.user_id LEFT JOIN auth.tenants t ON t.tenant_id = l.tenant_id
    WHERE l.link_hash = hash AND l.browser_hash = browser AND l.expires_at > now() $$;

CREATE FUNCTION auth.drop_sso_link(hash bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    DELETE FROM auth.sso_links WHERE link_hash = hash;
    RETURN FOUND; END $$;

CREATE FUNCTION auth.keep_sso_session(hash bytea, connection uuid, tenant uuid, new_sealed bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.sso_sessions (session_id, connection_id, tenant_id, sealed)
    SELECT s.id, connection, tenant, new_sealed FROM auth.sessions s WHERE s.token_hash = hash
    ON CONFLICT (session_id) DO NOTHING $$;

CREATE FUNCTION auth.sso_session(hash bytea, OUT connection_id uuid, OUT tenant_id uuid, OUT sealed bytea)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.connection_id, k.tenant_id, k.sealed FROM auth.sessions s JOIN auth.sso_sessions k ON k.session_id = s.id
    WHERE s.token_hash = hash $$;

-- Ends the sessions that a tenant's connection opened, but not those that were also opened with a password or passkey.
CREATE FUNCTION auth.end_sso_sessions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE ended integer; whose uuid := nullif(current_setting('app.current_tenant', true), '')::uuid; BEGIN
    DELETE FROM auth.sessions s WHERE s.sso_tenant_id = whose AND NOT s.methods && '{password,passkey}';
    GET DIAGNOSTICS ended = ROW_COUNT;
    UPDATE auth.sessions s SET sso_tenant_id = NULL WHERE s.sso_tenant_id = whose;
    RETURN ended; END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mirror_connection(), auth.mirror_email_domain() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.find_connection(uuid), auth.route_domain(text),
    auth.begin_sso(bytea, bytea, text, uuid, uuid, uuid, text, text, text, interval),
    auth.take_sso(bytea, bytea, uuid), auth.find_identity(text, text), auth.find_account(text),
    auth.link_identity(text, text, uuid),
    auth.begin_sso_link(bytea, bytea, uuid, text, text, uuid, uuid, text, text, interval), auth.sso_link(bytea, bytea),
    auth.drop_sso_link(bytea), auth.keep_sso_session(bytea, uuid, uuid, bytea), auth.sso_session(bytea),
    auth.end_sso_sessions() TO sentinel_app;
