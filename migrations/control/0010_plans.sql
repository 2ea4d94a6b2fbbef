-- Mail to a tenant's owners whose words depend on what happened: the facts wait here until it is sent.

CREATE TABLE auth.notices (
    mail_id uuid PRIMARY KEY REFERENCES auth.mails ON DELETE CASCADE, tenant_id uuid NOT NULL, facts jsonb NOT NULL);
CREATE INDEX ON auth.notices (tenant_id);

-- For the worker, which has claimed the effect that asks for the notice, as the tenant whose it is.
CREATE FUNCTION auth.request_notice(new_id uuid, wanted text, whose uuid, about jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.mails (id, kind, recipient, user_id) VALUES (new_id, 'notice', wanted, whose);
    INSERT INTO auth.notices (mail_id, tenant_id, facts)
    VALUES (new_id, nullif(current_setting('app.current_tenant', true), '')::uuid, about); END $$;

CREATE FUNCTION auth.notice_facts(which uuid) RETURNS jsonb LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT n.facts FROM auth.notices n WHERE n.mail_id = which $$;

REVOKE ALL ON FUNCTION auth.request_notice(uuid, text, uuid, jsonb), auth.notice_facts(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.request_notice(uuid, text, uuid, jsonb), auth.notice_facts(uuid) TO sentinel_worker;
