-- The end of an erasure: refused while the database still has a row of the tenant.

CREATE FUNCTION auth.finish_erasure(wanted uuid, body text, signed bytea) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM FROM auth.erasures e WHERE e.tenant_id = wanted AND e.step = 'scan' AND e.quiet_at <= now() FOR UPDATE;
    IF NOT FOUND
    OR EXISTS (SELECT FROM eraser.rows_left(wanted) l WHERE l.remaining > 0)
    OR EXISTS (SELECT FROM auth.directory_left(wanted) l WHERE l.remaining > 0) THEN
        RAISE EXCEPTION 'the tenant is not erased yet' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    DELETE FROM auth.erasure_counts c WHERE c.tenant_id = wanted;
    UPDATE auth.erasures e SET step = 'done', finished_at = now(), certificate = body, signature = signed, lease_until = NULL,
        last_error = NULL, waits = NULL WHERE e.tenant_id = wanted;
END $$;

REVOKE ALL ON FUNCTION auth.finish_erasure(uuid, text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.finish_erasure(uuid, text, bytea) TO sentinel_worker;
