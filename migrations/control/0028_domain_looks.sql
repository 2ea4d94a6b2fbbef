-- When each proven domain's record is looked for again; what the worker asks for.

ALTER TABLE auth.email_domains ADD COLUMN look_at timestamptz;
UPDATE auth.email_domains SET look_at = now() + random() * interval '1 day';
CREATE INDEX ON auth.email_domains (look_at);

CREATE OR REPLACE FUNCTION auth.mirror_email_domain() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP <> 'INSERT' AND OLD.verified_at IS NOT NULL THEN
        DELETE FROM auth.email_domains WHERE tenant_id = OLD.tenant_id AND domain_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.verified_at IS NOT NULL THEN
        INSERT INTO auth.email_domains (domain, tenant_id, domain_id, look_at)
        VALUES (NEW.domain, NEW.tenant_id, NEW.id, NEW.look_at);
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.domains_to_look_at(most integer, OUT tenant_id uuid, OUT domain_id uuid)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.tenant_id, d.domain_id FROM auth.email_domains d JOIN auth.tenants t ON t.tenant_id = d.tenant_id
    WHERE t.status IN ('trial', 'active') AND coalesce(d.look_at, '-infinity') <= now()
    ORDER BY d.look_at NULLS FIRST LIMIT most $$;

REVOKE ALL ON FUNCTION auth.domains_to_look_at(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.domains_to_look_at(integer) TO sentinel_worker;
