-- Tenants with API calls, and up to which UTC day (not included) these were summed by day; NULL: not yet.

CREATE TABLE auth.usage_books (tenant_id uuid PRIMARY KEY REFERENCES auth.tenants ON DELETE CASCADE, until date);
CREATE INDEX ON auth.usage_books (until);
INSERT INTO auth.usage_books (tenant_id) SELECT t.tenant_id FROM auth.tenants t;

CREATE FUNCTION auth.open_usage_book() RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.usage_books (tenant_id) SELECT t.tenant_id FROM auth.tenants t
    WHERE t.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid
    ON CONFLICT (tenant_id) DO NOTHING $$;

-- A day is summed from an hour after its end, when no call of it can be written any more.
CREATE FUNCTION auth.usage_due(most integer, OUT tenant_id uuid, OUT since date, OUT until date)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT b.tenant_id, b.until, d.over
    FROM (SELECT ((now() - interval '1 hour') AT TIME ZONE 'UTC')::date AS over) d CROSS JOIN auth.usage_books b
    WHERE b.until IS NULL OR b.until < d.over ORDER BY b.until NULLS FIRST, b.tenant_id LIMIT most $$;

-- For the worker, as the tenant whose days they are.
CREATE FUNCTION auth.note_usage_summed(up_to date) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.usage_books b SET until = greatest(b.until, up_to)
    WHERE b.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid $$;

REVOKE ALL ON FUNCTION auth.open_usage_book(), auth.usage_due(integer), auth.note_usage_summed(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.open_usage_book() TO sentinel_app;
GRANT EXECUTE ON FUNCTION auth.usage_due(integer), auth.note_usage_summed(date) TO sentinel_worker;
