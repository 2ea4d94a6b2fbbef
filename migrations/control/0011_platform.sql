-- The platform's own staff: who they are, what they ordered and did. Its login holds these functions and no tenant's table.

CREATE TABLE auth.staff (
    id uuid PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, password_hash text NOT NULL,
    factor bytea NOT NULL, factor_step bigint NOT NULL DEFAULT 0, created_at timestamptz NOT NULL DEFAULT now(),
    failures integer NOT NULL DEFAULT 0, locked_until timestamptz, disabled_at timestamptz);

CREATE TABLE auth.staff_links (
    token_hash bytea PRIMARY KEY, email text NOT NULL, expires_at timestamptz NOT NULL, used_at timestamptz);

CREATE TABLE auth.staff_sessions (
    token_hash bytea PRIMARY KEY, id uuid NOT NULL UNIQUE, staff_id uuid NOT NULL REFERENCES auth.staff ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(), used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL, idle interval NOT NULL, address text, agent text);
CREATE INDEX ON auth.staff_sessions (staff_id);

CREATE TABLE auth.staff_events (
    id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), staff_label text NOT NULL, action text NOT NULL,
    tenant_id uuid, slug text, reason text, detail jsonb, address text, agent text, request_id text);
CREATE INDEX ON auth.staff_events (at, id);
CREATE INDEX ON auth.staff_events (tenant_id, at, id);

CREATE TABLE auth.staff_orders (
    id uuid PRIMARY KEY REFERENCES auth.staff_events, tenant_id uuid NOT NULL, staff_id uuid, staff_label text NOT NULL,
    action text NOT NULL, reason text NOT NULL, detail jsonb NOT NULL, address text, agent text, request_id text,
    created_at timestamptz NOT NULL DEFAULT now(), due_at timestamptz NOT NULL DEFAULT now(), lease_until timestamptz,
    attempts integer NOT NULL DEFAULT 0, done_at timestamptz, last_error text);
CREATE INDEX ON auth.staff_orders (due_at) WHERE done_at IS NULL;
CREATE INDEX ON auth.staff_orders (tenant_id, created_at);

ALTER TABLE auth.tenants ADD COLUMN created_at timestamptz, ADD COLUMN trial_ends_at timestamptz,
    ADD COLUMN deleted_at timestamptz, ADD COLUMN purge_at timestamptz;
CREATE INDEX ON auth.tenants (trial_ends_at) WHERE status = 'trial';
CREATE INDEX ON auth.tenants (name, tenant_id);

-- A suspension that is ordered and not carried out yet is not undone by another change of the tenant's row.
CREATE OR REPLACE FUNCTION auth.mirror_tenant() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE held boolean; BEGIN
    held := EXISTS (SELECT FROM auth.staff_orders o
                    WHERE o.tenant_id = NEW.id AND o.action = 'tenant.suspend' AND o.done_at IS NULL);
    INSERT INTO auth.tenants AS mine (tenant_id, slug, name, plan, status, status_reason, created_at, trial_ends_at, deleted_at, purge_at)
    VALUES (NEW.id, NEW.slug, NEW.name, NEW.plan, NEW.status, NEW.status_reason, NEW.created_at, NEW.trial_ends_at,
            NEW.deleted_at, NEW.purge_at)
    ON CONFLICT (tenant_id) DO UPDATE SET slug = EXCLUDED.slug, name = EXCLUDED.name, plan = EXCLUDED.plan,
        status = CASE WHEN held AND EXCLUDED.status IN ('trial', 'active') THEN 'suspended' ELSE EXCLUDED.status END,
        status_reason = CASE WHEN held THEN mine.status_reason ELSE EXCLUDED.status_reason END, created_at = EXCLUDED.created_at,
        trial_ends_at = EXCLUDED.trial_ends_at, deleted_at = EXCLUDED.deleted_at, purge_at = EXCLUDED.purge_at;
    RETURN NULL; END $$;

-- Signing in: a one-use link makes the account, with a password and a second factor; each sign-in asks for both.

CREATE FUNCTION auth.staff_invite(hash bytea, wanted text, lasts interval) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.staff_links (token_hash, email, expires_at) VALUES (hash, wanted, now() + lasts) $$;

CREATE FUNCTION auth.staff_peek_link(hash bytea) RETURNS text LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.email FROM auth.staff_links l WHERE l.token_hash = hash AND l.used_at IS NULL AND l.expires_at > now() $$;

CREATE FUNCTION auth.staff_redeem_link(hash bytea, new_id uuid, new_name text, new_hash text, new_factor bytea, step bigint,
    OUT staff_id uuid, OUT email text)
RETURNS SETOF record LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    UPDATE auth.staff_links l SET used_at = now() WHERE l.token_hash = hash AND l.used_at IS NULL AND l.expires_at > now()
        RETURNING l.email INTO email;
    IF email IS NULL THEN RETURN; END IF;
    INSERT INTO auth.staff AS s (id, email, name, password_hash, factor, factor_step)
    VALUES (new_id, staff_redeem_link.email, new_name, new_hash, new_factor, step)
    ON CONFLICT ON CONSTRAINT staff_email_key DO UPDATE SET name = EXCLUDED.name, password_hash = EXCLUDED.password_hash,
        factor = EXCLUDED.factor, factor_step = EXCLUDED.factor_step, failures = 0, locked_until = NULL, disabled_at = NULL
        RETURNING s.id INTO staff_id;
    DELETE FROM auth.staff_sessions o WHERE o.staff_id = staff_redeem_link.staff_id;
    RETURN NEXT;
END $$;

CREATE FUNCTION auth.staff_find_login(wanted text, OUT staff_id uuid, OUT name text, OUT password_hash text,
    OUT factor bytea, OUT locked boolean)
RETURNS record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    SELECT s.id, s.name, s.password_hash, s.factor, coalesce(s.locked_until > now(), false)
    INTO staff_id, name, password_hash, factor, locked
    FROM auth.staff s WHERE s.email = wanted AND s.disabled_at IS NULL;
    locked := coalesce(locked, false); END $$;

CREATE FUNCTION auth.staff_note_failure(wanted text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.staff s SET failures = s.failures + 1, locked_until = CASE WHEN s.failures >= 4
        THEN now() + least(interval '1 hour', interval '30 seconds' * power(2, least(s.failures - 4, 8))) END
    WHERE s.email = wanted $$;

-- A code counts once: the session is opened only where its time step is later than the last one used.
CREATE FUNCTION auth.staff_open_session(whose uuid, step bigint, new_hash bytea, new_id uuid, lasts interval,
    idles interval, from_address text, from_agent text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.staff s SET factor_step = step, failures = 0, locked_until = NULL
    WHERE s.id = whose AND s.factor_step < step AND s.disabled_at IS NULL;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO auth.staff_sessions (token_hash, id, staff_id, expires_at, idle, address, agent)
    VALUES (new_hash, new_id, whose, now() + lasts, idles, from_address, from_agent);
    RETURN true; END $$;

CREATE FUNCTION auth.staff_session(hash bytea, OUT staff_id uuid, OUT email text, OUT name text, OUT since timestamptz)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT f.id, f.email, f.name, s.created_at INTO staff_id, email, name, since
    FROM auth.staff_sessions s JOIN auth.staff f ON f.id = s.staff_id
    WHERE s.token_hash = hash AND s.expires_at > now() AND s.used_at + s.idle > now() AND f.disabled_at IS NULL;
    IF staff_id IS NULL THEN RETURN; END IF;
    UPDATE auth.staff_sessions s SET used_at = now() WHERE s.token_hash = hash AND s.used_at < now() - interval '1 minute';
    RETURN NEXT;
END $$;

CREATE FUNCTION auth.staff_close_session(hash bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.staff_sessions s WHERE s.token_hash = hash $$;

CREATE FUNCTION auth.staff_disable(wanted text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE whose uuid; BEGIN
    UPDATE auth.staff s SET disabled_at = now() WHERE s.email = wanted AND s.disabled_at IS NULL RETURNING s.id INTO whose;
    DELETE FROM auth.staff_sessions s WHERE s.staff_id = whose;
    RETURN whose IS NOT NULL; END $$;

CREATE FUNCTION auth.staff_list(OUT email text, OUT name text, OUT created_at timestamptz, OUT disabled_at timestamptz,
    OUT used_at timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.email, f.name, f.created_at, f.disabled_at, (SELECT max(s.used_at) FROM auth.staff_sessions s WHERE s.staff_id = f.id)
    FROM auth.staff f ORDER BY f.email $$;

CREATE FUNCTION auth.staff_note(new_id uuid, who text, what text, why text, from_address text, from_agent text, request text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.staff_events (id, staff_label, action, reason, address, agent, request_id)
    VALUES (new_id, who, what, why, from_address, from_agent, request) $$;

CREATE FUNCTION auth.staff_log(of_tenant uuid, before timestamptz, before_id uuid, most integer,
    OUT id uuid, OUT at timestamptz, OUT staff_label text, OUT action text, OUT tenant_id uuid, OUT slug text,
    OUT reason text, OUT detail jsonb, OUT address text, OUT done_at timestamptz, OUT waiting boolean, OUT last_error text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.id, e.at, e.staff_label, e.action, e.tenant_id, e.slug, e.reason, e.detail, e.address,
           o.done_at, o.id IS NOT NULL AND o.done_at IS NULL, o.last_error
    FROM auth.staff_events e LEFT JOIN auth.staff_orders o ON o.id = e.id
    WHERE (of_tenant IS NULL OR e.tenant_id = of_tenant) AND (before IS NULL OR (e.at, e.id) < (before, before_id))
    ORDER BY e.at DESC, e.id DESC LIMIT most $$;

-- Tenants as the platform sees them: what they are and how busy, never what they hold.

CREATE FUNCTION auth.staff_tenants(words text, of_plan text, of_status text, of_id uuid, after_name text, after_id uuid,
    most integer,
    OUT tenant_id uuid, OUT slug text, OUT name text, OUT plan text, OUT status text, OUT status_reason text, OUT level text,
    OUT created_at timestamptz, OUT trial_ends_at timestamptz, OUT deleted_at timestamptz, OUT purge_at timestamptz,
    OUT members bigint, OUT api_keys bigint, OUT scans_queued bigint, OUT scans_running bigint, OUT effects bigint,
    OUT oldest_effect timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason, t.level, t.created_at, t.trial_ends_at,
           t.deleted_at, t.purge_at,
           (SELECT count(*) FROM auth.memberships m WHERE m.tenant_id = t.tenant_id),
           (SELECT count(*) FROM auth.api_keys k WHERE k.tenant_id = t.tenant_id AND k.revoked_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > now())),
           (SELECT count(*) FROM auth.open_scans s WHERE s.tenant_id = t.tenant_id AND s.status = 'queued'),
           (SELECT count(*) FROM auth.open_scans s WHERE s.tenant_id = t.tenant_id AND s.status = 'running'),
           (SELECT count(*) FROM auth.effects_due d WHERE d.tenant_id = t.tenant_id AND d.due_at <= now()),
           (SELECT min(d.due_at) FROM auth.effects_due d WHERE d.tenant_id = t.tenant_id AND d.due_at <= now())
    FROM auth.tenants t
    WHERE (of_id IS NULL OR t.tenant_id = of_id)
      AND (words = '' OR strpos(lower(t.name), lower(words)) > 0 OR strpos(t.slug, lower(words)) > 0
           OR t.tenant_id::text = lower(words))
      AND (of_plan = '' OR t.plan = of_plan) AND (of_status = '' OR t.status = of_status)
      AND (after_name IS NULL OR (t.name, t.tenant_id) > (after_name, after_id))
    ORDER BY t.name, t.tenant_id LIMIT most $$;

CREATE FUNCTION auth.staff_figures(OUT status text, OUT plan text, OUT tenants bigint)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.status, t.plan, count(*) FROM auth.tenants t GROUP BY t.status, t.plan $$;

CREATE FUNCTION auth.staff_backlog(OUT part text, OUT waiting bigint, OUT oldest timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'effects', count(*), min(d.due_at) FROM auth.effects_due d WHERE d.due_at <= now()
    UNION ALL SELECT 'mails', count(*), min(m.due_at) FROM auth.mails m WHERE m.done_at IS NULL AND m.due_at <= now()
    UNION ALL SELECT 'scans queued', count(*), min(s.since) FROM auth.open_scans s WHERE s.status = 'queued'
    UNION ALL SELECT 'scans running', count(*), min(s.since) FROM auth.open_scans s WHERE s.status = 'running'
    UNION ALL SELECT 'audit logs unsealed', count(DISTINCT (u.tenant_id, u.home)), NULL FROM auth.audit_unsealed u
    UNION ALL SELECT 'orders', count(*), min(o.created_at) FROM auth.staff_orders o WHERE o.done_at IS NULL $$;

-- An order is on record before it is carried out, by the worker, as the tenant. A suspension holds from this commit on.

CREATE FUNCTION auth.staff_order(new_id uuid, whose uuid, who text, wanted uuid, what text, why text, given jsonb,
    from_address text, from_agent text, request text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE found_slug text; BEGIN
    SELECT t.slug INTO found_slug FROM auth.tenants t WHERE t.tenant_id = wanted FOR UPDATE;
    IF found_slug IS NULL THEN RETURN false; END IF;
    IF what = 'tenant.suspend' THEN
        UPDATE auth.tenants t SET status = 'suspended', status_reason = why
        WHERE t.tenant_id = wanted AND t.status IN ('trial', 'active');
        IF NOT FOUND THEN RETURN false; END IF;
    END IF;
    INSERT INTO auth.staff_events (id, staff_label, action, tenant_id, slug, reason, detail, address, agent, request_id)
    VALUES (new_id, who, what, wanted, found_slug, why, given, from_address, from_agent, request);
    INSERT INTO auth.staff_orders (id, tenant_id, staff_id, staff_label, action, reason, detail, address, agent, request_id)
    VALUES (new_id, wanted, whose, who, what, why, given, from_address, from_agent, request);
    RETURN true; END $$;

CREATE FUNCTION auth.claim_orders(most integer, lease interval, OUT id uuid, OUT tenant_id uuid, OUT staff_id uuid,
    OUT staff_label text, OUT action text, OUT reason text, OUT detail jsonb, OUT address text, OUT agent text,
    OUT request_id text, OUT attempts integer)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH due AS (
        SELECT DISTINCT ON (d.tenant_id) d.id FROM auth.staff_orders d WHERE d.done_at IS NULL
        ORDER BY d.tenant_id, d.created_at, d.id
    ), taken AS (
        SELECT d.id FROM auth.staff_orders d JOIN due ON due.id = d.id
        WHERE d.due_at <= now() AND (d.lease_until IS NULL OR d.lease_until < now())
        ORDER BY d.created_at LIMIT most FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE auth.staff_orders o SET lease_until = now() + lease, attempts = o.attempts + 1 FROM taken WHERE o.id = taken.id
    RETURNING o.id, o.tenant_id, o.staff_id, o.staff_label, o.action, o.reason, o.detail, o.address, o.agent,
              o.request_id, o.attempts;
END $$;

CREATE FUNCTION auth.settle_order(which uuid, again interval, problem text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.staff_orders o SET done_at = CASE WHEN again IS NULL THEN now() END,
        due_at = now() + coalesce(again, interval '0'), lease_until = NULL, last_error = problem WHERE o.id = which $$;

CREATE FUNCTION auth.trials_over(most integer) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tenant_id FROM auth.tenants t WHERE t.status = 'trial' AND t.trial_ends_at <= now()
    ORDER BY t.trial_ends_at LIMIT most $$;

-- What was agreed on with a tenant in place of its plan's figures, as far as it is in force.

CREATE TABLE auth.plan_overrides (
    tenant_id uuid NOT NULL, id uuid NOT NULL, kind text NOT NULL, name text NOT NULL, value bigint, reason text NOT NULL,
    until timestamptz, created_at timestamptz NOT NULL, created_by text NOT NULL, PRIMARY KEY (tenant_id, id));

CREATE FUNCTION auth.mirror_override() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN DELETE FROM auth.plan_overrides o WHERE o.tenant_id = OLD.tenant_id AND o.id = OLD.id; END IF;
    IF TG_OP <> 'DELETE' AND NEW.ended_at IS NULL THEN
        INSERT INTO auth.plan_overrides (tenant_id, id, kind, name, value, reason, until, created_at, created_by)
        VALUES (NEW.tenant_id, NEW.id, NEW.kind, NEW.name, NEW.value, NEW.reason, NEW.until, NEW.created_at, NEW.created_by);
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.staff_overrides(wanted uuid, OUT id uuid, OUT kind text, OUT name text, OUT value bigint,
    OUT reason text, OUT until timestamptz, OUT created_at timestamptz, OUT created_by text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.id, o.kind, o.name, o.value, o.reason, o.until, o.created_at, o.created_by FROM auth.plan_overrides o
    WHERE o.tenant_id = wanted AND (o.until IS NULL OR o.until > now()) ORDER BY o.kind, o.name $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT USAGE ON SCHEMA auth TO sentinel_platform;
GRANT EXECUTE ON FUNCTION auth.mirror_override() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.staff_invite(bytea, text, interval), auth.staff_peek_link(bytea),
    auth.staff_redeem_link(bytea, uuid, text, text, bytea, bigint), auth.staff_find_login(text), auth.staff_note_failure(text),
    auth.staff_open_session(uuid, bigint, bytea, uuid, interval, interval, text, text), auth.staff_session(bytea),
    auth.staff_close_session(bytea), auth.staff_disable(text), auth.staff_list(),
    auth.staff_note(uuid, text, text, text, text, text, text), auth.staff_log(uuid, timestamptz, uuid, integer),
    auth.staff_tenants(text, text, text, uuid, text, uuid, integer), auth.staff_figures(), auth.staff_backlog(), auth.staff_overrides(uuid),
    auth.staff_order(uuid, uuid, text, uuid, text, text, jsonb, text, text, text) TO sentinel_platform;
GRANT EXECUTE ON FUNCTION auth.claim_orders(integer, interval), auth.settle_order(uuid, interval, text),
    auth.trials_over(integer) TO sentinel_worker;
