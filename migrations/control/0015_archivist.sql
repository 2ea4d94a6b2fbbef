-- The one way in which an event leaves an audit log: with whole seals, from the front, after a signed removal of the
-- tenant's says so, and never before it is 30 days old (what the smallest plan keeps), whatever the worker asks for.
CREATE FUNCTION archivist.remove_events(home text, removal bigint, most integer) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE gone bigint; whose uuid := nullif(current_setting('app.current_tenant', true), '')::uuid; BEGIN
    IF home !~ '^(account|shared|t_[0-9a-f]{32})$' THEN
        RAISE EXCEPTION 'no such log' USING ERRCODE = 'undefined_table';
    END IF;
    EXECUTE format('WITH edge AS (SELECT s.last_transaction, s.last_id FROM %1$I.audit_seals s '
        'JOIN %1$I.audit_removals r ON r.tenant_id = s.tenant_id AND r.up_to = s.number '
        'WHERE s.tenant_id = $1 AND s.number = $2), '
        'gone AS (DELETE FROM %1$I.audit_events e WHERE e.tenant_id = $1 AND e.id = ANY (ARRAY('
        'SELECT o.id FROM %1$I.audit_events o, edge WHERE o.tenant_id = $1 AND o.at < now() - interval ''30 days'' '
        'AND (o.transaction, o.id) <= (edge.last_transaction, edge.last_id) '
        'ORDER BY o.transaction, o.id LIMIT $3)) RETURNING 1) SELECT count(*) FROM gone', home)
        INTO gone USING whose, removal, most;
    RETURN gone;
END $$;

REVOKE ALL ON FUNCTION archivist.remove_events(text, bigint, integer) FROM PUBLIC;
GRANT USAGE ON SCHEMA archivist TO sentinel_worker;
GRANT EXECUTE ON FUNCTION archivist.remove_events(text, bigint, integer) TO sentinel_worker;
