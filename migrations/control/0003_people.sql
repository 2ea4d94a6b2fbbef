-- Invitations, the last visit to each tenant, mail that a tenant asks for, and the owner that a tenant keeps.

ALTER TABLE auth.memberships ADD COLUMN used_at timestamptz, ADD COLUMN offered_until timestamptz;
ALTER TABLE auth.mails ADD COLUMN tenant_id uuid;
CREATE INDEX ON auth.mails (tenant_id, created_at) WHERE tenant_id IS NOT NULL;

CREATE TABLE auth.invitations (
    tenant_id uuid NOT NULL, id uuid NOT NULL, email text NOT NULL, role text NOT NULL, inviter text NOT NULL,
    mail_id uuid NOT NULL UNIQUE, token_hash bytea UNIQUE, expires_at timestamptz NOT NULL, PRIMARY KEY (tenant_id, id));

-- Another mail voids the link of the one before.
CREATE FUNCTION auth.mirror_invitation() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM auth.invitations WHERE tenant_id = OLD.tenant_id AND id = OLD.id;
    ELSIF NEW.ended_at IS NOT NULL THEN
        DELETE FROM auth.invitations WHERE tenant_id = NEW.tenant_id AND id = NEW.id;
    ELSE
        INSERT INTO auth.invitations AS i (tenant_id, id, email, role, inviter, mail_id, expires_at)
        VALUES (NEW.tenant_id, NEW.id, NEW.email, NEW.role, NEW.inviter_label, NEW.mail_id, NEW.expires_at)
        ON CONFLICT (tenant_id, id) DO UPDATE SET email = EXCLUDED.email, role = EXCLUDED.role,
            inviter = EXCLUDED.inviter, mail_id = EXCLUDED.mail_id, expires_at = EXCLUDED.expires_at,
            token_hash = CASE WHEN i.mail_id = EXCLUDED.mail_id THEN i.token_hash END;
    END IF;
    RETURN NULL; END $$;

CREATE FUNCTION auth.mirror_offer() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.memberships SET offered_until = CASE WHEN NEW.ended_at IS NULL THEN NEW.expires_at END
    WHERE tenant_id = coalesce(NEW.tenant_id, OLD.tenant_id) AND user_id = coalesce(NEW.taker_id, OLD.taker_id);
    RETURN NULL; END $$;

-- Asked at the end of a transaction, one after the other: two owners who demote each other do not both succeed.
CREATE FUNCTION auth.guard_owners() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF OLD.role <> 'owner' OR (TG_OP = 'UPDATE' AND NEW.role = 'owner') THEN RETURN NULL; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('owners of ' || OLD.tenant_id, 0));
    IF EXISTS (SELECT FROM auth.tenants t
               WHERE t.tenant_id = OLD.tenant_id AND t.status IN ('trial', 'active', 'suspended'))
    AND NOT EXISTS (SELECT FROM auth.memberships m WHERE m.tenant_id = OLD.tenant_id AND m.role = 'owner') THEN
        RAISE EXCEPTION 'a tenant keeps an owner' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL; END $$;

-- For the web, of the present tenant.

CREATE FUNCTION auth.visit(hash bytea, OUT slug text, OUT name text, OUT role text, OUT status text,
    OUT here boolean, OUT offered boolean)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE who uuid; place uuid := nullif(current_setting('app.current_tenant', true), '')::uuid; BEGIN
    SELECT s.user_id INTO who FROM auth.sessions s
    WHERE s.token_hash = hash AND s.expires_at > now() AND s.used_at + s.idle > now();
    UPDATE auth.memberships m SET used_at = now() WHERE m.user_id = who AND m.tenant_id = place
    AND (m.used_at IS NULL OR m.used_at < now() - interval '1 hour'
         OR EXISTS (SELECT FROM auth.memberships o WHERE o.user_id = who AND o.used_at > m.used_at));
    RETURN QUERY SELECT t.slug, t.name, m.role, t.status, t.tenant_id IS NOT DISTINCT FROM place,
        coalesce(m.offered_until > now(), false)
    FROM auth.memberships m JOIN auth.tenants t ON t.tenant_id = m.tenant_id
    WHERE m.user_id = who AND t.status <> 'purged' ORDER BY t.name, t.slug;
END $$;

CREATE FUNCTION auth.last_visited(hash bytea) RETURNS text LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.slug FROM auth.sessions s JOIN auth.memberships m ON m.user_id = s.user_id
    JOIN auth.tenants t ON t.tenant_id = m.tenant_id
    WHERE s.token_hash = hash AND s.expires_at > now() AND s.used_at + s.idle > now() AND t.status <> 'purged'
    ORDER BY m.used_at DESC NULLS LAST, t.name, t.slug LIMIT 1 $$;

CREATE FUNCTION auth.members_seen(OUT user_id uuid, OUT used_at timestamptz) RETURNS SETOF record LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.user_id, m.used_at FROM auth.memberships m
    WHERE m.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid AND m.used_at IS NOT NULL $$;

CREATE FUNCTION auth.end_tenant_sessions(whose uuid) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.sessions s WHERE s.user_id = whose
    AND s.sso_tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid $$;

-- Null where the mail will be sent, else whose share is used up: recipient, tenant or client.
CREATE FUNCTION auth.request_tenant_mail(new_id uuid, new_kind text, wanted text, from_client text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE place uuid := nullif(current_setting('app.current_tenant', true), '')::uuid; BEGIN
    IF place IS NULL THEN RAISE EXCEPTION 'no tenant asks'; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('mail of ' || place, 0));
    PERFORM pg_advisory_xact_lock(hashtextextended('mail to ' || wanted, 0));
    IF (SELECT count(*) >= 3 FROM auth.mails m
        WHERE m.recipient = wanted AND m.kind = new_kind AND m.created_at > now() - interval '1 hour')
    OR (SELECT count(*) >= 20 FROM auth.mails m
        WHERE m.recipient = wanted AND m.created_at > now() - interval '1 day') THEN RETURN 'recipient'; END IF;
    IF (SELECT count(*) >= 200 FROM auth.mails m
        WHERE m.tenant_id = place AND m.created_at > now() - interval '1 day') THEN RETURN 'tenant'; END IF;
    IF (SELECT count(*) >= 200 FROM auth.mails m
        WHERE m.client = from_client AND m.created_at > now() - interval '1 hour') THEN RETURN 'client'; END IF;
    INSERT INTO auth.mails (id, kind, recipient, client, tenant_id) VALUES (new_id, new_kind, wanted, from_client, place);
    RETURN NULL; END $$;

-- For the web, before a tenant is known: the token says which.

CREATE FUNCTION auth.peek_invitation(hash bytea, OUT tenant_id uuid, OUT id uuid, OUT email text, OUT role text,
    OUT inviter text, OUT expires_at timestamptz, OUT slug text, OUT tenant_name text, OUT has_account boolean)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.tenant_id, i.id, i.email, i.role, i.inviter, i.expires_at, t.slug, t.name,
           EXISTS (SELECT FROM auth.users u WHERE u.email = i.email)
    FROM auth.invitations i JOIN auth.tenants t ON t.tenant_id = i.tenant_id
    WHERE i.token_hash = hash AND i.expires_at > now() AND t.status IN ('trial', 'active') $$;

-- For the worker, which sends the mail and so makes the token.

CREATE FUNCTION auth.issue_invitation(mail uuid, hash bytea, OUT tenant_name text, OUT role text, OUT inviter text,
    OUT expires_at timestamptz)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    UPDATE auth.invitations i SET token_hash = hash FROM auth.tenants t
    WHERE i.mail_id = mail AND i.expires_at > now() AND t.tenant_id = i.tenant_id AND t.status IN ('trial', 'active')
    RETURNING t.name, i.role, i.inviter, i.expires_at INTO tenant_name, role, inviter, expires_at;
    IF FOUND THEN RETURN NEXT; END IF;
END $$;

CREATE FUNCTION auth.mail_tenant(mail uuid, OUT slug text, OUT name text) RETURNS SETOF record LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.slug, t.name FROM auth.mails m JOIN auth.tenants t ON t.tenant_id = m.tenant_id
    WHERE m.id = mail AND t.status IN ('trial', 'active') $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mirror_invitation(), auth.mirror_offer(), auth.guard_owners() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.visit(bytea), auth.last_visited(bytea), auth.members_seen(), auth.end_tenant_sessions(uuid),
    auth.request_tenant_mail(uuid, text, text, text), auth.peek_invitation(bytea) TO sentinel_app;
GRANT EXECUTE ON FUNCTION auth.issue_invitation(uuid, bytea), auth.mail_tenant(uuid) TO sentinel_worker;
