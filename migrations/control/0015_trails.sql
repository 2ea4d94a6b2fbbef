-- When the worker last looked whether a tenant's audit log has events beyond its plan's time, or a checkpoint to mail.
ALTER TABLE auth.tenants ADD COLUMN archived_at timestamptz;
CREATE INDEX ON auth.tenants (archived_at NULLS FIRST, tenant_id);

CREATE FUNCTION auth.claim_archives(most integer, every interval) RETURNS SETOF uuid LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.tenants t SET archived_at = clock_timestamp() WHERE t.tenant_id IN (
        SELECT d.tenant_id FROM auth.tenants d WHERE (d.archived_at IS NULL OR d.archived_at <= clock_timestamp() - every)
            AND d.status IN ('trial', 'active', 'suspended')
        ORDER BY d.archived_at NULLS FIRST, d.tenant_id LIMIT most FOR UPDATE SKIP LOCKED)
    RETURNING t.tenant_id $$;

REVOKE ALL ON FUNCTION auth.claim_archives(integer, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.claim_archives(integer, interval) TO sentinel_worker;

-- Staff's log of what the command line did to the installation's keys, with the web's login, which writes nothing else there.
CREATE FUNCTION auth.note_signing_keys(new_id uuid, what text, why text) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.staff_events (id, staff_label, action, reason)
    SELECT new_id, 'command line', what, why WHERE what IN ('signing-key.rotate', 'signing-key.revoke') $$;

REVOKE ALL ON FUNCTION auth.note_signing_keys(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.note_signing_keys(uuid, text, text) TO sentinel_app;
