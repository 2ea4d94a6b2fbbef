-- The eraser's functions. Its policies show it the tenant of an erasure that is under way, and no other.

CREATE FUNCTION eraser.tenant_tables(OUT name text, OUT of_column text, OUT place bigint)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE known AS (
        SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, n.nspname = 'control' AS last,
               CASE WHEN n.nspname = 'control' AND c.relname = 'tenants' THEN 'id' ELSE 'tenant_id' END AS of_column
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (n.nspname IN ('control', 'account', 'shared') OR n.nspname ~ '^t_[0-9a-f]{32}$') AND c.relkind = 'r'
          AND c.relname <> 'schema_version'
    ), reached(oid, depth) AS (
        SELECT k.oid, 0 FROM known k
        UNION SELECT f.confrelid, r.depth + 1 FROM reached r JOIN pg_constraint f ON f.conrelid = r.oid
        WHERE f.contype = 'f' AND f.confrelid <> f.conrelid AND r.depth < 40
    )
    SELECT k.name, k.of_column, row_number() OVER (ORDER BY k.last, max(r.depth), k.name)
    FROM known k JOIN reached r ON r.oid = k.oid GROUP BY k.name, k.of_column, k.last ORDER BY 3 $$;

CREATE FUNCTION eraser.erase_rows(wanted uuid, of_table text, most integer) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE whose text; turn integer; gone bigint; before text := current_setting('app.current_tenant', true); BEGIN
    SELECT e.round INTO turn FROM auth.erasures e WHERE e.tenant_id = wanted AND e.finished_at IS NULL AND e.step <> 'settle';
    IF turn IS NULL THEN
        RAISE EXCEPTION 'no erasure of this tenant is under way' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT t.of_column INTO whose FROM eraser.tenant_tables() t WHERE t.name = of_table;
    IF whose IS NULL THEN RAISE EXCEPTION 'no such table' USING ERRCODE = 'undefined_table'; END IF;
    PERFORM set_config('app.current_tenant', wanted::text, true);
    EXECUTE format('DELETE FROM %1$s x USING (SELECT ctid FROM %1$s WHERE %2$I = $1 LIMIT $2) part '
        'WHERE x.ctid = part.ctid', of_table, whose) USING wanted, most;
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM set_config('app.current_tenant', coalesce(before, ''), true);
    INSERT INTO auth.erasure_counts AS c (tenant_id, kind, name, round, found) VALUES (wanted, 'rows', of_table, turn, gone)
    ON CONFLICT (tenant_id, kind, name, round) DO UPDATE SET found = c.found + EXCLUDED.found;
    RETURN gone;
END $$;

CREATE FUNCTION eraser.rows_left(wanted uuid, OUT name text, OUT remaining bigint)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE one record; before text := current_setting('app.current_tenant', true); BEGIN
    IF NOT EXISTS (SELECT FROM auth.erasures e WHERE e.tenant_id = wanted AND e.finished_at IS NULL AND e.step <> 'settle') THEN
        RAISE EXCEPTION 'no erasure of this tenant is under way' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM set_config('app.current_tenant', wanted::text, true);
    FOR one IN SELECT t.name, t.of_column FROM eraser.tenant_tables() t LOOP
        name := one.name;
        EXECUTE format('SELECT count(*) FROM %s WHERE %I = $1', one.name, one.of_column) INTO remaining USING wanted;
        RETURN NEXT;
    END LOOP;
    PERFORM set_config('app.current_tenant', coalesce(before, ''), true);
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA eraser FROM PUBLIC;
GRANT USAGE ON SCHEMA eraser TO sentinel_worker, sentinel_directory;
GRANT EXECUTE ON FUNCTION eraser.tenant_tables(), eraser.erase_rows(uuid, text, integer) TO sentinel_worker;
GRANT EXECUTE ON FUNCTION eraser.rows_left(uuid) TO sentinel_worker, sentinel_directory;
