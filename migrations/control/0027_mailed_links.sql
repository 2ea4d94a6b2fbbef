-- A provider's subject linked to the account of its address by a mail to that address, in the browser that asked for it.

ALTER TABLE auth.sso_links ADD COLUMN mail_hash bytea;

CREATE FUNCTION auth.mail_sso_link(hash bytea, browser bytea, mail bytea, lasts interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.sso_links l SET mail_hash = mail, expires_at = now() + lasts
    WHERE l.link_hash = hash AND l.browser_hash = browser AND l.expires_at > now();
    RETURN FOUND; END $$;

-- Once: the token of the mail that was asked for last for this very link, in the browser that the link began in, while
-- the account still has the address that it went to, confirmed.
CREATE FUNCTION auth.take_mailed_link(hash bytea, browser bytea, mail bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.tokens t SET used_at = now() FROM auth.sso_links l JOIN auth.users u ON u.id = l.user_id
    WHERE t.token_hash = mail AND t.purpose = 'sso-link' AND t.used_at IS NULL AND t.expires_at > now()
        AND l.link_hash = hash AND l.browser_hash = browser AND l.mail_hash = mail AND l.expires_at > now()
        AND t.user_id = l.user_id AND u.email = t.email AND u.verified_at IS NOT NULL;
    RETURN FOUND; END $$;

REVOKE ALL ON FUNCTION auth.mail_sso_link(bytea, bytea, bytea, interval), auth.take_mailed_link(bytea, bytea, bytea)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.mail_sso_link(bytea, bytea, bytea, interval), auth.take_mailed_link(bytea, bytea, bytea)
    TO sentinel_app;
