-- What the staff console lists. Of a tenant: counts, shares and moments, never what it holds.

CREATE INDEX ON auth.memberships (tenant_id);

-- How much of its plan a tenant uses, as the worker has counted it last; `touched_at` is when something was on record last.

CREATE TABLE auth.tenant_usage (
    tenant_id uuid PRIMARY KEY REFERENCES auth.tenants ON DELETE CASCADE, touched_at timestamptz, at timestamptz,
    percent integer, quota text, at_risk boolean NOT NULL DEFAULT false, lines jsonb NOT NULL DEFAULT '[]',
    lease_until timestamptz);
CREATE INDEX ON auth.tenant_usage (at);

-- A seal takes the marks of what is new away: that is when a tenant is known to have done something, at no cost to it.
CREATE FUNCTION auth.touch_tenants() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.tenant_usage AS u (tenant_id, touched_at)
    SELECT DISTINCT t.tenant_id, now() FROM gone JOIN auth.tenants t ON t.tenant_id = gone.tenant_id
    WHERE t.status <> 'purged' ORDER BY 1
    ON CONFLICT (tenant_id) DO UPDATE SET touched_at = now();
    RETURN NULL; END $$;
CREATE TRIGGER touch AFTER DELETE ON auth.audit_unsealed REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION auth.touch_tenants();

CREATE FUNCTION auth.forget_usage() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    DELETE FROM auth.tenant_usage u WHERE u.tenant_id = NEW.tenant_id;
    RETURN NULL; END $$;
CREATE TRIGGER forget_usage AFTER UPDATE ON auth.tenants FOR EACH ROW WHEN (NEW.status = 'purged')
    EXECUTE FUNCTION auth.forget_usage();

CREATE FUNCTION auth.claim_counts(most integer, lease interval, fresh interval, old interval) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH due AS (
        SELECT t.tenant_id FROM auth.tenants t LEFT JOIN auth.tenant_usage u ON u.tenant_id = t.tenant_id
        WHERE t.status <> 'purged' AND t.level IS NOT NULL AND (u.lease_until IS NULL OR u.lease_until < now())
          AND (u.at IS NULL OR u.at < now() - old OR (u.touched_at > u.at AND u.at < now() - fresh))
        ORDER BY u.at NULLS FIRST, t.tenant_id LIMIT most)
    INSERT INTO auth.tenant_usage AS u (tenant_id, lease_until) SELECT due.tenant_id, now() + lease FROM due
    ON CONFLICT (tenant_id) DO UPDATE SET lease_until = EXCLUDED.lease_until
        WHERE u.lease_until IS NULL OR u.lease_until < now()
    RETURNING u.tenant_id $$;

CREATE FUNCTION auth.note_count(wanted uuid, largest integer, which text, risky boolean, counted jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.tenant_usage AS u (tenant_id, at, percent, quota, at_risk, lines)
    SELECT t.tenant_id, now(), largest, which, risky, counted FROM auth.tenants t
    WHERE t.tenant_id = wanted AND t.status <> 'purged'
    ON CONFLICT (tenant_id) DO UPDATE SET at = EXCLUDED.at, percent = EXCLUDED.percent, quota = EXCLUDED.quota,
        at_risk = EXCLUDED.at_risk, lines = EXCLUDED.lines, lease_until = NULL $$;

CREATE FUNCTION auth.staff_usage(wanted uuid, OUT at timestamptz, OUT lines jsonb)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.at, u.lines FROM auth.tenant_usage u WHERE u.tenant_id = wanted AND u.at IS NOT NULL $$;

-- Which workers live: each says so every few seconds.

CREATE TABLE auth.workers_seen (
    name text PRIMARY KEY, started_at timestamptz NOT NULL DEFAULT now(), seen_at timestamptz NOT NULL DEFAULT now());

CREATE FUNCTION auth.note_worker(which text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.workers_seen w WHERE w.seen_at < now() - interval '1 day' AND w.name <> which;
    INSERT INTO auth.workers_seen AS w (name) VALUES (which)
    ON CONFLICT (name) DO UPDATE SET seen_at = now() $$;

CREATE FUNCTION auth.staff_workers(OUT name text, OUT started_at timestamptz, OUT seen_at timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.name, w.started_at, w.seen_at FROM auth.workers_seen w ORDER BY w.seen_at DESC LIMIT 50 $$;

-- Effects that fail: how often they were tried and of which kind the error was.

ALTER TABLE auth.effects_due ADD COLUMN since timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN attempts integer NOT NULL DEFAULT 0, ADD COLUMN problem text;

CREATE OR REPLACE FUNCTION auth.mirror_effect() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.effects_due WHERE id = OLD.id AND tenant_id = OLD.tenant_id AND home = TG_ARGV[0];
    ELSIF NEW.done_at IS NOT NULL THEN
        DELETE FROM auth.effects_due WHERE id = NEW.id AND tenant_id = NEW.tenant_id AND home = TG_ARGV[0];
    ELSE
        INSERT INTO auth.effects_due (tenant_id, home, id, kind, due_at, since, attempts, problem)
        VALUES (NEW.tenant_id, TG_ARGV[0], NEW.id, NEW.kind, NEW.due_at, NEW.created_at, NEW.attempts, NEW.last_error)
        ON CONFLICT (tenant_id, home, id) DO UPDATE SET due_at = EXCLUDED.due_at, lease_until = NULL,
            attempts = EXCLUDED.attempts, problem = EXCLUDED.problem;
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.staff_stuck_effects(tries integer, late interval, which uuid, most integer,
    OUT tenant_id uuid, OUT slug text, OUT home text, OUT id uuid, OUT kind text, OUT since timestamptz,
    OUT due_at timestamptz, OUT attempts integer, OUT problem text, OUT ordered boolean)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.tenant_id, t.slug, d.home, d.id, d.kind, d.since, d.due_at, d.attempts, d.problem,
           EXISTS (SELECT FROM auth.staff_orders o WHERE o.tenant_id = d.tenant_id AND o.done_at IS NULL
                   AND o.action = 'effect.retry' AND o.detail ->> 'effect_id' = d.id::text)
    FROM auth.effects_due d LEFT JOIN auth.tenants t ON t.tenant_id = d.tenant_id
    WHERE (d.attempts >= tries OR d.due_at < now() - late) AND (which IS NULL OR d.id = which)
    ORDER BY d.since, d.id LIMIT most $$;

-- Scans that stand still: admitted and not begun, or running, for longer than they may.
CREATE FUNCTION auth.staff_stuck_scans(unbegun interval, unended interval, most integer,
    OUT tenant_id uuid, OUT slug text, OUT scan_id uuid, OUT workflow_id text, OUT status text, OUT since timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.tenant_id, t.slug, s.scan_id, s.workflow_id, s.status, s.since
    FROM auth.open_scans s LEFT JOIN auth.tenants t ON t.tenant_id = s.tenant_id
    WHERE (s.status = 'queued' AND s.admitted AND s.since < now() - unbegun)
       OR (s.status = 'running' AND s.since < now() - unended)
    ORDER BY s.since, s.scan_id LIMIT most $$;

CREATE OR REPLACE FUNCTION auth.staff_backlog(OUT part text, OUT waiting bigint, OUT oldest timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'effects', count(*), min(d.due_at) FROM auth.effects_due d WHERE d.due_at <= now()
    UNION ALL SELECT 'effects not sent', count(*), min(d.since) FROM auth.effects_due d
    UNION ALL SELECT 'mails', count(*), min(m.due_at) FROM auth.mails m WHERE m.done_at IS NULL AND m.due_at <= now()
    UNION ALL SELECT 'scans queued', count(*), min(s.since) FROM auth.open_scans s WHERE s.status = 'queued'
    UNION ALL SELECT 'scans running', count(*), min(s.since) FROM auth.open_scans s WHERE s.status = 'running'
    UNION ALL SELECT 'audit logs unsealed', count(DISTINCT (u.tenant_id, u.home)), NULL FROM auth.audit_unsealed u
    UNION ALL SELECT 'orders', count(*), min(o.created_at) FROM auth.staff_orders o WHERE o.done_at IS NULL
    UNION ALL SELECT 'tenants not counted', count(*), min(coalesce(u.at, t.created_at))
        FROM auth.tenants t LEFT JOIN auth.tenant_usage u ON u.tenant_id = t.tenant_id
        WHERE t.status <> 'purged' AND (u.at IS NULL OR u.at < now() - interval '2 hours') $$;

-- Plans that are asked for: the plan, the words to the staff, since when. Who asked stays the tenant's.

CREATE TABLE auth.plan_requests (
    tenant_id uuid NOT NULL, id uuid NOT NULL, plan text NOT NULL, plan_before text NOT NULL, note text NOT NULL,
    asked_at timestamptz NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE INDEX ON auth.plan_requests (asked_at, id);

CREATE FUNCTION auth.mirror_plan_request() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN DELETE FROM auth.plan_requests r WHERE r.tenant_id = OLD.tenant_id AND r.id = OLD.id; END IF;
    IF TG_OP <> 'DELETE' AND NEW.status = 'pending' THEN
        INSERT INTO auth.plan_requests (tenant_id, id, plan, plan_before, note, asked_at)
        VALUES (NEW.tenant_id, NEW.id, NEW.plan, NEW.plan_before, NEW.note, NEW.asked_at);
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.staff_requests(of_tenant uuid, after_at timestamptz, after_id uuid, most integer,
    OUT tenant_id uuid, OUT slug text, OUT name text, OUT status text, OUT present text, OUT id uuid, OUT plan text,
    OUT plan_before text, OUT note text, OUT asked_at timestamptz, OUT ordered boolean)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.tenant_id, t.slug, t.name, t.status, t.plan, r.id, r.plan, r.plan_before, r.note, r.asked_at,
           EXISTS (SELECT FROM auth.staff_orders o WHERE o.tenant_id = r.tenant_id AND o.done_at IS NULL
                   AND o.action IN ('plan.approve', 'plan.decline') AND o.detail ->> 'request_id' = r.id::text)
    FROM auth.plan_requests r JOIN auth.tenants t ON t.tenant_id = r.tenant_id
    WHERE (of_tenant IS NULL OR r.tenant_id = of_tenant) AND (after_at IS NULL OR (r.asked_at, r.id) > (after_at, after_id))
    ORDER BY r.asked_at, r.id LIMIT most $$;

CREATE FUNCTION auth.staff_waiting() RETURNS bigint LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT count(*) FROM auth.plan_requests $$;

-- Tenants by more filters, with what they use.

CREATE VIEW auth.tenant_rows WITH (security_invoker = true) AS
    SELECT t.tenant_id, t.slug, t.name, t.plan, t.status, t.status_reason, t.level, t.created_at, t.trial_ends_at,
           t.deleted_at, t.purge_at,
           (SELECT count(*) FROM auth.memberships m WHERE m.tenant_id = t.tenant_id) AS members,
           (SELECT count(*) FROM auth.api_keys k WHERE k.tenant_id = t.tenant_id AND k.revoked_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > now())) AS api_keys,
           (SELECT count(*) FROM auth.open_scans s WHERE s.tenant_id = t.tenant_id AND s.status = 'queued') AS scans_queued,
           (SELECT count(*) FROM auth.open_scans s WHERE s.tenant_id = t.tenant_id AND s.status = 'running') AS scans_running,
           (SELECT count(*) FROM auth.effects_due d WHERE d.tenant_id = t.tenant_id AND d.due_at <= now()) AS effects,
           (SELECT min(d.due_at) FROM auth.effects_due d WHERE d.tenant_id = t.tenant_id AND d.due_at <= now()) AS oldest_effect,
           u.percent, u.quota, coalesce(u.at_risk, false) AS at_risk, u.at AS counted_at,
           greatest(u.touched_at, (SELECT max(m.used_at) FROM auth.memberships m WHERE m.tenant_id = t.tenant_id),
                    (SELECT max(k.last_at) FROM auth.key_scope_uses k WHERE k.tenant_id = t.tenant_id)) AS active_at
    FROM auth.tenants t LEFT JOIN auth.tenant_usage u ON u.tenant_id = t.tenant_id;

CREATE FUNCTION auth.staff_tenant(wanted uuid) RETURNS SETOF auth.tenant_rows LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.* FROM auth.tenant_rows r WHERE r.tenant_id = wanted $$;

-- The empty name and the nil id come before all others, so that a page begins where the index says.
DROP FUNCTION auth.staff_tenants(text, text, text, uuid, text, uuid, integer);
CREATE FUNCTION auth.staff_tenants(words text, of_plan text, of_status text, of_level text, risky boolean,
    ending interval, after_name text, after_id uuid, most integer)
RETURNS SETOF auth.tenant_rows LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.* FROM auth.tenant_rows r
    WHERE (words = '' OR strpos(lower(r.name), lower(words)) > 0 OR strpos(r.slug, lower(words)) > 0
           OR r.tenant_id::text = lower(words))
      AND (of_plan = '' OR r.plan = of_plan) AND (of_status = '' OR r.status = of_status)
      AND (of_level = '' OR r.level = of_level) AND (NOT risky OR r.at_risk)
      AND (ending IS NULL OR (r.status = 'trial' AND r.trial_ends_at <= now() + ending))
      AND (r.name, r.tenant_id) > (after_name, after_id)
    ORDER BY r.name, r.tenant_id LIMIT most $$;

-- How many there are of them, counted to `most`.
CREATE FUNCTION auth.staff_count(words text, of_plan text, of_status text, of_level text, risky boolean, ending interval,
    most integer)
RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FROM (
        SELECT FROM auth.tenant_rows r
        WHERE (words = '' OR strpos(lower(r.name), lower(words)) > 0 OR strpos(r.slug, lower(words)) > 0
               OR r.tenant_id::text = lower(words))
          AND (of_plan = '' OR r.plan = of_plan) AND (of_status = '' OR r.status = of_status)
          AND (of_level = '' OR r.level = of_level) AND (NOT risky OR r.at_risk)
          AND (ending IS NULL OR (r.status = 'trial' AND r.trial_ends_at <= now() + ending))
        LIMIT most) found $$;

-- The staff's log by who, what, which tenant and when; what staff do by command is noted with what it was about.

DROP FUNCTION auth.staff_log(uuid, timestamptz, uuid, integer);
CREATE FUNCTION auth.staff_log(of_tenant uuid, of_who text, of_action text, since timestamptz, until timestamptz,
    before timestamptz, before_id uuid, most integer,
    OUT id uuid, OUT at timestamptz, OUT staff_label text, OUT action text, OUT tenant_id uuid, OUT slug text,
    OUT reason text, OUT detail jsonb, OUT address text, OUT done_at timestamptz, OUT waiting boolean, OUT last_error text,
    OUT attempts integer, OUT due_at timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.id, e.at, e.staff_label, e.action, e.tenant_id, e.slug, e.reason, e.detail, e.address,
           o.done_at, o.id IS NOT NULL AND o.done_at IS NULL, o.last_error, coalesce(o.attempts, 0), o.due_at
    FROM auth.staff_events e LEFT JOIN auth.staff_orders o ON o.id = e.id
    WHERE (of_tenant IS NULL OR e.tenant_id = of_tenant) AND (of_who = '' OR strpos(lower(e.staff_label), lower(of_who)) > 0)
      AND (of_action = '' OR e.action = of_action)
      AND (since IS NULL OR e.at >= since) AND (until IS NULL OR e.at < until)
      AND (before IS NULL OR (e.at, e.id) < (before, before_id))
    ORDER BY e.at DESC, e.id DESC LIMIT most $$;

CREATE FUNCTION auth.staff_actions() RETURNS SETOF text LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT DISTINCT e.action FROM auth.staff_events e ORDER BY 1 $$;

DROP FUNCTION auth.staff_note(uuid, text, text, text, text, text, text);
CREATE FUNCTION auth.staff_note(new_id uuid, who text, what text, why text, about jsonb, from_address text, from_agent text,
    request text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.staff_events (id, staff_label, action, reason, detail, address, agent, request_id)
    VALUES (new_id, who, what, why, about, from_address, from_agent, request) $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mirror_plan_request() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.claim_counts(integer, interval, interval, interval),
    auth.note_count(uuid, integer, text, boolean, jsonb), auth.note_worker(text) TO sentinel_worker;
GRANT EXECUTE ON FUNCTION auth.staff_usage(uuid), auth.staff_workers(), auth.staff_stuck_effects(integer, interval, uuid, integer),
    auth.staff_stuck_scans(interval, interval, integer), auth.staff_backlog(),
    auth.staff_requests(uuid, timestamptz, uuid, integer), auth.staff_waiting(),
    auth.staff_tenant(uuid), auth.staff_tenants(text, text, text, text, boolean, interval, text, uuid, integer),
    auth.staff_count(text, text, text, text, boolean, interval, integer),
    auth.staff_log(uuid, text, text, timestamptz, timestamptz, timestamptz, uuid, integer), auth.staff_actions(),
    auth.staff_note(uuid, text, text, text, jsonb, text, text, text) TO sentinel_platform;
