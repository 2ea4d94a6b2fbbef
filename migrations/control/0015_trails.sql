-- Staff's log of what the command line did to the installation's keys, with the web's login, which writes nothing else there.
CREATE FUNCTION auth.note_signing_keys(new_id uuid, what text, why text) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.staff_events (id, staff_label, action, reason)
    SELECT new_id, 'command line', what, why WHERE what IN ('signing-key.rotate', 'signing-key.revoke') $$;

REVOKE ALL ON FUNCTION auth.note_signing_keys(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.note_signing_keys(uuid, text, text) TO sentinel_app;
