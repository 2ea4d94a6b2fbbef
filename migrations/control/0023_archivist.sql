-- The one way in which API calls go: the oldest of the present tenant, `most` at a time. Never one that is not 30 days old
-- (what the smallest plan keeps), whatever the worker asks for, and never one of a day whose sums are still there.
CREATE FUNCTION archivist.remove_calls(home text, before date, most integer) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE gone bigint; edge timestamptz; whose uuid := nullif(current_setting('app.current_tenant', true), '')::uuid; BEGIN
    IF home !~ '^(shared|t_[0-9a-f]{32})$' THEN
        RAISE EXCEPTION 'no such home' USING ERRCODE = 'undefined_table';
    END IF;
    EXECUTE format('SELECT least($2::timestamp AT TIME ZONE ''UTC'', now() - interval ''30 days'', '
        '(SELECT min(d.day) FROM %1$I.usage_days d WHERE d.tenant_id = $1)::timestamp AT TIME ZONE ''UTC'', '
        '(SELECT min(m.minute) FROM %1$I.usage_minutes m WHERE m.tenant_id = $1))', home)
        INTO edge USING whose, before;
    EXECUTE format('WITH gone AS (DELETE FROM %1$I.api_calls c WHERE c.tenant_id = $1 AND c.id = ANY (ARRAY('
        'SELECT o.id FROM %1$I.api_calls o WHERE o.tenant_id = $1 AND o.at < $2 ORDER BY o.at, o.id LIMIT $3)) '
        'RETURNING 1) SELECT count(*) FROM gone', home)
        INTO gone USING whose, edge, most;
    RETURN gone;
END $$;

REVOKE ALL ON FUNCTION archivist.remove_calls(text, date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archivist.remove_calls(text, date, integer) TO sentinel_worker;
