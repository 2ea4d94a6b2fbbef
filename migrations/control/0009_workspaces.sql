-- Which tenants keep answers for repeated requests, by the hour in which the last of them expires.

CREATE TABLE auth.answers_due (
    tenant_id uuid NOT NULL, home text NOT NULL, due_at timestamptz NOT NULL, PRIMARY KEY (tenant_id, home, due_at));
CREATE INDEX ON auth.answers_due (due_at);

CREATE FUNCTION auth.mirror_answer() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.answers_due (tenant_id, home, due_at)
    VALUES (NEW.tenant_id, TG_ARGV[0], date_trunc('hour', NEW.expires_at) + interval '1 hour') ON CONFLICT DO NOTHING;
    RETURN NULL; END $$;

CREATE FUNCTION auth.answers_expired(most integer, OUT tenant_id uuid, OUT home text, OUT up_to timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.tenant_id, d.home, max(d.due_at) FROM auth.answers_due d WHERE d.due_at <= now()
    GROUP BY d.tenant_id, d.home ORDER BY 3 LIMIT most $$;

CREATE FUNCTION auth.note_answers_swept(swept_home text, up_to timestamptz) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.answers_due d WHERE d.home = swept_home AND d.due_at <= up_to
        AND d.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid $$;

REVOKE ALL ON FUNCTION auth.mirror_answer(), auth.answers_expired(integer), auth.note_answers_swept(text, timestamptz)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mirror_answer() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.answers_expired(integer), auth.note_answers_swept(text, timestamptz) TO sentinel_worker;
