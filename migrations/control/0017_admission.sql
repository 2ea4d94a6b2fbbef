-- What the relay, the hosts and the reconciler ask costs as much as there are tenants with work, whatever waits behind them.

-- When each tenant's last effect was taken: whoever has waited longest since, weighed by its plan's priority, is next.
CREATE TABLE auth.relay_turns (tenant_id uuid PRIMARY KEY, served_at timestamptz NOT NULL) WITH (fillfactor = 50);

CREATE FUNCTION auth.forget_turn() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    DELETE FROM auth.relay_turns t WHERE t.tenant_id = OLD.tenant_id;
    RETURN NULL; END $$;
CREATE TRIGGER forget_turn AFTER DELETE ON auth.tenants FOR EACH ROW EXECUTE FUNCTION auth.forget_turn();
CREATE TRIGGER forget_turn_purged AFTER UPDATE OF status ON auth.tenants FOR EACH ROW WHEN (NEW.status = 'purged')
    EXECUTE FUNCTION auth.forget_turn();

CREATE INDEX open_scans_admitted ON auth.open_scans (tenant_id) WHERE admitted;
CREATE INDEX open_scans_admitted_since ON auth.open_scans (since) WHERE admitted;
CREATE INDEX open_scans_waiting ON auth.open_scans (tenant_id, since) WHERE NOT admitted;

-- One effect of each tenant at most, the oldest of its kinds. `pairs` leaps from one (tenant, kind) to the next by the
-- index; `heads` reads the first that is due of each. Tenants in `full` get nothing; those in `held`, whose effects the
-- relay has in hand, get `spare` together, so that the last threads are for others. Statistics of an empty table would
-- have the planner read a backlog from end to end: the settings keep it to the index.
DROP FUNCTION auth.claim_effects(text[], integer, interval);
CREATE FUNCTION auth.claim_effects(kinds text[], most integer, lease interval, plans text[], weights integer[],
    "full" uuid[], held uuid[], spare integer,
    OUT tenant_id uuid, OUT home text, OUT kind text, OUT id uuid)
RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    WITH RECURSIVE pairs AS (
        (SELECT d.tenant_id, d.kind FROM auth.effects_due d ORDER BY d.tenant_id, d.kind LIMIT 1)
        UNION ALL
        SELECT n.tenant_id, n.kind FROM pairs p, LATERAL (
            SELECT d.tenant_id, d.kind FROM auth.effects_due d WHERE (d.tenant_id, d.kind) > (p.tenant_id, p.kind)
            ORDER BY d.tenant_id, d.kind LIMIT 1) n
    ), heads AS (
        SELECT DISTINCT ON (p.tenant_id) p.tenant_id, h.home, h.id, h.due_at, p.tenant_id = ANY (held) AS more
        FROM pairs p, LATERAL (
            SELECT d.home, d.id, d.due_at FROM auth.effects_due d
            WHERE d.tenant_id = p.tenant_id AND d.kind = p.kind AND d.due_at <= now()
                AND (d.lease_until IS NULL OR d.lease_until < now())
            ORDER BY d.tenant_id, d.kind, d.due_at LIMIT 1) h
        WHERE p.kind = ANY (kinds) AND p.tenant_id <> ALL ("full")
        ORDER BY p.tenant_id, h.due_at, h.id
    ), weighed AS (
        SELECT h.*, coalesce(extract(epoch FROM clock_timestamp() - t.served_at)
            * coalesce(weights[array_position(plans, a.plan)], 1), 'infinity') AS patience
        FROM heads h LEFT JOIN auth.relay_turns t ON t.tenant_id = h.tenant_id
        LEFT JOIN auth.tenants a ON a.tenant_id = h.tenant_id
    ), ranked AS (
        SELECT w.*, row_number() OVER (PARTITION BY w.more ORDER BY w.patience DESC, w.due_at, w.id) AS place FROM weighed w
    ), taken AS (
        SELECT d.tenant_id, d.home, d.id FROM ranked r
        JOIN auth.effects_due d ON (d.tenant_id, d.home, d.id) = (r.tenant_id, r.home, r.id)
        WHERE (d.lease_until IS NULL OR d.lease_until < now()) AND (NOT r.more OR r.place <= spare)
        ORDER BY r.patience DESC, r.due_at, r.id LIMIT most FOR UPDATE OF d SKIP LOCKED
    ), served AS (
        INSERT INTO auth.relay_turns AS t (tenant_id, served_at) SELECT taken.tenant_id, clock_timestamp() FROM taken
        JOIN auth.tenants a ON a.tenant_id = taken.tenant_id WHERE a.status <> 'purged'
        ORDER BY taken.tenant_id ON CONFLICT (tenant_id) DO UPDATE SET served_at = EXCLUDED.served_at
    )
    UPDATE auth.effects_due d SET lease_until = now() + lease FROM taken
    WHERE (taken.tenant_id, taken.home, taken.id) = (d.tenant_id, d.home, d.id)
    RETURNING d.tenant_id, d.home, d.kind, d.id $$;

-- Which tenants' queues are to be polled, with the plan that says how many slots each has.
DROP FUNCTION auth.tenants_with_open_scans();
CREATE FUNCTION auth.tenants_at_work(OUT tenant_id uuid, OUT plan text) RETURNS SETOF record LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tenant_id, t.plan FROM auth.tenants t
    WHERE t.tenant_id IN (SELECT s.tenant_id FROM auth.open_scans s WHERE s.admitted) $$;

-- Scans that stand still: all that were admitted, and the first that waits of each tenant of which none is admitted.
CREATE OR REPLACE FUNCTION auth.list_open_scans(older_than interval,
    OUT tenant_id uuid, OUT scan_id uuid, OUT workflow_id text, OUT status text, OUT admitted boolean, OUT since timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    WITH RECURSIVE waiting AS (
        (SELECT s.tenant_id FROM auth.open_scans s WHERE NOT s.admitted ORDER BY s.tenant_id LIMIT 1)
        UNION ALL
        SELECT n.tenant_id FROM waiting w, LATERAL (
            SELECT s.tenant_id FROM auth.open_scans s WHERE NOT s.admitted AND s.tenant_id > w.tenant_id
            ORDER BY s.tenant_id LIMIT 1) n
    )
    SELECT s.tenant_id, s.scan_id, s.workflow_id, s.status, s.admitted, s.since FROM auth.open_scans s
    WHERE s.admitted AND s.since <= now() - older_than
    UNION ALL
    SELECT f.tenant_id, f.scan_id, f.workflow_id, f.status, f.admitted, f.since FROM waiting w, LATERAL (
        SELECT s.* FROM auth.open_scans s WHERE NOT s.admitted AND s.tenant_id = w.tenant_id
        ORDER BY s.since LIMIT 1) f
    WHERE f.since <= now() - older_than
        AND NOT EXISTS (SELECT FROM auth.open_scans o WHERE o.admitted AND o.tenant_id = w.tenant_id)
    ORDER BY 6 $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    auth.claim_effects(text[], integer, interval, text[], integer[], uuid[], uuid[], integer),
    auth.tenants_at_work() TO sentinel_worker;
