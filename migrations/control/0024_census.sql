-- Whom to count next: not a tenant whose erasure has begun, of which the directory takes no row any more.
CREATE OR REPLACE FUNCTION auth.claim_counts(most integer, lease interval, fresh interval, old interval) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH due AS (
        SELECT t.tenant_id FROM auth.tenants t LEFT JOIN auth.tenant_usage u ON u.tenant_id = t.tenant_id
        WHERE t.level IS NOT NULL AND (u.lease_until IS NULL OR u.lease_until < now())
          AND (u.at IS NULL OR u.at < now() - old OR (u.touched_at > u.at AND u.at < now() - fresh))
          AND NOT EXISTS (SELECT FROM auth.erasures e WHERE e.tenant_id = t.tenant_id)
        ORDER BY u.at NULLS FIRST, t.tenant_id LIMIT most)
    INSERT INTO auth.tenant_usage AS u (tenant_id, lease_until) SELECT due.tenant_id, now() + lease FROM due
    ON CONFLICT (tenant_id) DO UPDATE SET lease_until = EXCLUDED.lease_until
        WHERE u.lease_until IS NULL OR u.lease_until < now()
    RETURNING u.tenant_id $$;
