-- Scans that stand still, all or one, with whether an order to cancel them is on its way.

DROP FUNCTION auth.staff_stuck_scans(interval, interval, integer);
CREATE FUNCTION auth.staff_stuck_scans(unbegun interval, unended interval, which uuid, most integer,
    OUT tenant_id uuid, OUT slug text, OUT scan_id uuid, OUT workflow_id text, OUT status text, OUT since timestamptz,
    OUT ordered boolean)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.tenant_id, t.slug, s.scan_id, s.workflow_id, s.status, s.since,
           EXISTS (SELECT FROM auth.staff_orders o WHERE o.tenant_id = s.tenant_id AND o.done_at IS NULL
                   AND o.action = 'scan.cancel' AND o.detail ->> 'scan_id' = s.scan_id::text)
    FROM auth.open_scans s LEFT JOIN auth.tenants t ON t.tenant_id = s.tenant_id
    WHERE ((s.status = 'queued' AND s.admitted AND s.since < now() - unbegun)
           OR (s.status = 'running' AND s.since < now() - unended))
      AND (which IS NULL OR s.scan_id = which)
    ORDER BY s.since, s.scan_id LIMIT most $$;

REVOKE ALL ON FUNCTION auth.staff_stuck_scans(interval, interval, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.staff_stuck_scans(interval, interval, uuid, integer) TO sentinel_platform;
