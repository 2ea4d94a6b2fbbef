-- Mails that tell people what was done to their account have a share of their own: whoever asks for others in their
-- place, or from the address from which it is done, silences none of them.
CREATE OR REPLACE FUNCTION auth.request_mail(new_id uuid, new_kind text, wanted text, whose uuid, from_client text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE tellings text[] := ARRAY['password-changed', 'email-changed', 'factors-changed', 'sso-linked', 'account-deleted', 'notice'];
    tells boolean := new_kind = ANY (tellings); BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mail to ' || wanted, 0));
    IF (SELECT count(*) >= 3 FROM auth.mails m
        WHERE m.recipient = wanted AND m.kind = new_kind AND m.created_at > now() - interval '1 hour')
    OR (SELECT count(*) >= 20 FROM auth.mails m WHERE m.recipient = wanted AND (m.kind = ANY (tellings)) = tells
        AND m.created_at > now() - interval '1 day')
    OR (NOT tells AND (SELECT count(*) >= 60 FROM auth.mails m
        WHERE m.client = from_client AND m.created_at > now() - interval '1 hour')) THEN RETURN false; END IF;
    INSERT INTO auth.mails (id, kind, recipient, user_id, client) VALUES (new_id, new_kind, wanted, whose, from_client);
    RETURN true; END $$;
