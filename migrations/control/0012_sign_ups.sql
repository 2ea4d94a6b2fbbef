-- Signing in and confirming tell an address that nobody confirmed from no other.

DROP FUNCTION auth.find_login(text);
-- Always one row, so that an unknown address is counted and locked like a known one.
CREATE FUNCTION auth.find_login(wanted text, OUT user_id uuid, OUT name text, OUT password_hash text, OUT locked boolean,
    OUT verified boolean)
RETURNS record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    SELECT u.id, u.name, u.password_hash, u.verified_at IS NOT NULL INTO user_id, name, password_hash, verified
    FROM auth.users u WHERE u.email = wanted;
    verified := coalesce(verified, false);
    locked := EXISTS (SELECT FROM auth.attempts a WHERE a.email = wanted AND a.locked_until > now()); END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.find_login(text) TO sentinel_app;
