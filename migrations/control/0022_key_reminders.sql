-- Tenants with an API key whose end is to be told of: 14 and 3 days before it and on its day, at
-- most once a day for each tenant.

ALTER TABLE auth.api_keys ADD COLUMN expiry_told integer, ADD COLUMN expiry_told_on date;
CREATE INDEX ON auth.api_keys (expires_at) WHERE revoked_at IS NULL AND expiry_told IS DISTINCT FROM 0;

CREATE OR REPLACE FUNCTION auth.mirror_api_key() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.key_scope_uses WHERE tenant_id = OLD.tenant_id AND key_id = OLD.id;
        DELETE FROM auth.api_keys WHERE tenant_id = OLD.tenant_id AND key_id = OLD.id;
        RETURN NULL;
    END IF;
    INSERT INTO auth.api_keys (tenant_id, key_id, name, scopes, maker_id, service_account_id, expires_at, revoked_at,
                               networks, calls_per_minute, workspace_id, beyond_plan, expiry_told, expiry_told_on)
    VALUES (NEW.tenant_id, NEW.id, NEW.name, NEW.scopes, NEW.maker_id, NEW.service_account_id, NEW.expires_at,
            NEW.revoked_at, NEW.networks, NEW.calls_per_minute, NEW.workspace_id, NEW.beyond_plan,
            NEW.expiry_told, NEW.expiry_told_on)
    ON CONFLICT (tenant_id, key_id) DO UPDATE SET name = EXCLUDED.name, scopes = EXCLUDED.scopes,
        maker_id = EXCLUDED.maker_id, service_account_id = EXCLUDED.service_account_id,
        expires_at = EXCLUDED.expires_at, revoked_at = EXCLUDED.revoked_at, networks = EXCLUDED.networks,
        calls_per_minute = EXCLUDED.calls_per_minute, workspace_id = EXCLUDED.workspace_id,
        beyond_plan = EXCLUDED.beyond_plan, expiry_told = EXCLUDED.expiry_told,
        expiry_told_on = EXCLUDED.expiry_told_on;
    RETURN NULL; END $$;

CREATE FUNCTION auth.keys_expiring(most integer) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH today AS (SELECT (now() AT TIME ZONE 'UTC')::date AS day),
    near AS (
        SELECT k.tenant_id, k.expiry_told, (k.expires_at AT TIME ZONE 'UTC')::date - today.day AS days
        FROM auth.api_keys k CROSS JOIN today
        WHERE k.revoked_at IS NULL AND k.expiry_told IS DISTINCT FROM 0 AND k.expires_at < now() + interval '15 days'),
    steps AS (
        SELECT n.tenant_id, n.expiry_told,
               CASE WHEN n.days <= 0 THEN 0 WHEN n.days <= 3 THEN 3 WHEN n.days <= 14 THEN 14 END AS step
        FROM near n)
    SELECT DISTINCT s.tenant_id FROM steps s JOIN auth.tenants t ON t.tenant_id = s.tenant_id CROSS JOIN today
    WHERE t.status IN ('trial', 'active') AND s.step IS NOT NULL AND (s.expiry_told IS NULL OR s.expiry_told > s.step)
      AND NOT EXISTS (SELECT FROM auth.api_keys o WHERE o.tenant_id = s.tenant_id AND o.expiry_told_on = today.day)
    LIMIT most $$;

REVOKE ALL ON FUNCTION auth.keys_expiring(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.keys_expiring(integer) TO sentinel_worker;
