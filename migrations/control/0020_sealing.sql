-- A tenant whose erasure has begun takes no seal any more: its log is not offered, so that it holds up nobody's.
CREATE OR REPLACE FUNCTION auth.logs_unsealed(most integer, OUT tenant_id uuid, OUT home text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT u.tenant_id, u.home FROM auth.audit_unsealed u
    WHERE u.transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    AND NOT EXISTS (SELECT FROM auth.erasures e WHERE e.tenant_id = u.tenant_id) LIMIT most $$;
