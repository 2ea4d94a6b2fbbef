-- Up to which summed day each tenant's calls were looked through for those that its plan keeps no longer; NULL: not yet.
-- That is due after each day that was summed, and stays due until nothing is left to remove.

ALTER TABLE auth.usage_books ADD COLUMN shortened date;
CREATE INDEX usage_books_removal ON auth.usage_books (shortened NULLS FIRST, tenant_id)
    WHERE until IS NOT NULL AND (shortened IS NULL OR shortened < until);

CREATE FUNCTION auth.calls_due(most integer, OUT tenant_id uuid, OUT until date)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT b.tenant_id, b.until FROM auth.usage_books b
    WHERE b.until IS NOT NULL AND (b.shortened IS NULL OR b.shortened < b.until)
    ORDER BY b.shortened NULLS FIRST, b.tenant_id LIMIT most $$;

-- For the worker, as the tenant whose calls they are.
CREATE FUNCTION auth.note_calls_removed(up_to date) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.usage_books b SET shortened = greatest(b.shortened, up_to)
    WHERE b.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid $$;

REVOKE ALL ON FUNCTION auth.calls_due(integer), auth.note_calls_removed(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.calls_due(integer), auth.note_calls_removed(date) TO sentinel_worker;
