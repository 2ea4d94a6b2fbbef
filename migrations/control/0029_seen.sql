-- When members were last in the tenant: of those who are asked for, each by the key of their row.
DROP FUNCTION auth.members_seen();
CREATE FUNCTION auth.members_seen(wanted uuid[], OUT user_id uuid, OUT used_at timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.user_id, m.used_at FROM auth.memberships m
    WHERE m.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid AND m.user_id = ANY (wanted)
      AND m.used_at IS NOT NULL $$;

REVOKE ALL ON FUNCTION auth.members_seen(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.members_seen(uuid[]) TO sentinel_app;
