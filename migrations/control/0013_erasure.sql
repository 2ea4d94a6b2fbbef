-- Erasures of tenants: what is under way, how far it is, and the certificate that stays. A row here is also the fence:
-- from its commit on nothing new is taken for the tenant, which is not restored any more.

CREATE TABLE auth.erasures (
    tenant_id uuid PRIMARY KEY, slug text NOT NULL, order_id uuid, staff_id uuid, reason text NOT NULL,
    deleted_at timestamptz NOT NULL, begun_at timestamptz NOT NULL DEFAULT now(),
    step text NOT NULL DEFAULT 'settle', round integer NOT NULL DEFAULT 1, waits text[], quiet_at timestamptz,
    keys jsonb NOT NULL DEFAULT '[]',
    attempts integer NOT NULL DEFAULT 0, due_at timestamptz NOT NULL DEFAULT now(), lease_until timestamptz, last_error text,
    finished_at timestamptz, certificate text, signature bytea,
    CHECK (step IN ('settle', 'key', 'directory', 'rows', 'executions', 'graph', 'scan', 'done')),
    CHECK ((step = 'done') = (finished_at IS NOT NULL AND certificate IS NOT NULL AND signature IS NOT NULL)));
CREATE INDEX ON auth.erasures (due_at) WHERE finished_at IS NULL;
CREATE INDEX ON auth.erasures (begun_at, tenant_id);
CREATE INDEX ON auth.tenants (purge_at) WHERE status = 'deleted';

CREATE TABLE auth.erasure_counts (
    tenant_id uuid NOT NULL, kind text NOT NULL, name text NOT NULL, round integer NOT NULL, found bigint NOT NULL,
    PRIMARY KEY (tenant_id, kind, name, round));

CREATE FUNCTION auth.keep_certificate() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    RAISE EXCEPTION 'a certificate is neither changed nor removed' USING ERRCODE = 'object_not_in_prerequisite_state'; END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON auth.erasures FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL)
    EXECUTE FUNCTION auth.keep_certificate();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON auth.erasures FOR EACH STATEMENT EXECUTE FUNCTION auth.keep_certificate();

-- The fence. A tenant's table takes no row of the present tenant, the directory none that names it, its own row no change.

CREATE FUNCTION auth.fence_rows() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF EXISTS (SELECT FROM auth.erasures e WHERE e.tenant_id = nullif(current_setting('app.current_tenant', true), '')::uuid) THEN
        RAISE EXCEPTION 'the tenant is being erased, or was' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN NULL; END $$;

-- What is noted for many tenants at once goes on without the one that is gone.
CREATE FUNCTION auth.fence_entry() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF EXISTS (SELECT FROM auth.erasures e WHERE e.tenant_id = NEW.tenant_id) THEN RETURN NULL; END IF;
    RETURN NEW; END $$;

CREATE FUNCTION auth.fence_session() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF EXISTS (SELECT FROM auth.erasures e WHERE e.tenant_id IN (NEW.sso_tenant_id, NEW.program_tenant_id)) THEN
        RAISE EXCEPTION 'the tenant is being erased, or was' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN NEW; END $$;
CREATE TRIGGER fence BEFORE INSERT OR UPDATE OF sso_tenant_id, program_tenant_id ON auth.sessions FOR EACH ROW
    WHEN (NEW.sso_tenant_id IS NOT NULL OR NEW.program_tenant_id IS NOT NULL) EXECUTE FUNCTION auth.fence_session();

CREATE FUNCTION auth.fence_tenant() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM FROM auth.tenants t WHERE t.tenant_id = OLD.id FOR UPDATE;
    IF EXISTS (SELECT FROM auth.erasures e WHERE e.tenant_id = OLD.id) THEN
        RAISE EXCEPTION 'the tenant is being erased, and is not changed any more' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN NEW; END $$;

CREATE FUNCTION auth.erasure_begun(wanted uuid) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM auth.erasures e WHERE e.tenant_id = wanted) $$;

-- Beginning: a deleted tenant whose time for restoring is over, or one whose erasure staff ordered by typing its slug.

CREATE FUNCTION auth.erasures_due(most integer) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tenant_id FROM auth.tenants t WHERE t.status = 'deleted' AND t.purge_at <= now()
    AND NOT EXISTS (SELECT FROM auth.erasures e WHERE e.tenant_id = t.tenant_id) ORDER BY t.purge_at LIMIT most $$;

CREATE FUNCTION auth.begin_erasure(wanted uuid, ordered uuid) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE known auth.tenants; given auth.staff_orders; BEGIN
    SELECT * INTO known FROM auth.tenants t WHERE t.tenant_id = wanted FOR UPDATE;
    IF EXISTS (SELECT FROM auth.erasures e WHERE e.tenant_id = wanted) THEN RETURN; END IF;
    IF known.tenant_id IS NULL OR known.status <> 'deleted' THEN
        RAISE EXCEPTION 'only a deleted tenant is erased' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT * INTO given FROM auth.staff_orders o WHERE o.id = ordered AND o.tenant_id = wanted
        AND o.action = 'tenant.purge' AND o.detail ->> 'slug' = known.slug AND o.done_at IS NULL;
    IF given.id IS NULL AND (ordered IS NOT NULL OR known.purge_at IS NULL OR known.purge_at > now()) THEN
        RAISE EXCEPTION 'the tenant can still be restored, and nobody ordered that it is erased'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    INSERT INTO auth.held_slugs (slug) VALUES (known.slug) ON CONFLICT DO NOTHING;
    INSERT INTO auth.erasures (tenant_id, slug, order_id, staff_id, reason, deleted_at)
    VALUES (wanted, known.slug, given.id, given.staff_id, coalesce(given.reason, 'The time for restoring it is over.'),
            coalesce(known.deleted_at, now()));
    UPDATE auth.staff_orders o SET done_at = now(), lease_until = NULL, last_error = 'The tenant is being erased.'
    WHERE o.tenant_id = wanted AND o.done_at IS NULL AND o.id IS DISTINCT FROM given.id;
END $$;

-- Going on: one worker at a time, which says when it is done with a step; what a step has found stays when it is killed.

CREATE FUNCTION auth.claim_erasure(lease interval, OUT tenant_id uuid, OUT attempts integer)
RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.erasures e SET lease_until = now() + lease, attempts = e.attempts + 1
    WHERE e.tenant_id = (SELECT d.tenant_id FROM auth.erasures d WHERE d.finished_at IS NULL AND d.due_at <= now()
        AND (d.lease_until IS NULL OR d.lease_until < now()) ORDER BY d.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING e.tenant_id, e.attempts $$;

CREATE FUNCTION auth.keep_erasure(wanted uuid, lease interval) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.erasures e SET lease_until = now() + lease WHERE e.tenant_id = wanted AND e.finished_at IS NULL $$;

CREATE FUNCTION auth.postpone_erasure(wanted uuid, again interval, problem text) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.erasures e SET due_at = now() + again, lease_until = NULL, last_error = problem
    WHERE e.tenant_id = wanted AND e.finished_at IS NULL $$;

CREATE FUNCTION auth.read_erasure(wanted uuid, OUT tenant_id uuid, OUT slug text, OUT order_id uuid, OUT staff_id uuid,
    OUT reason text, OUT deleted_at timestamptz, OUT begun_at timestamptz, OUT step text, OUT round integer,
    OUT quiet boolean, OUT keys jsonb)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.tenant_id, e.slug, e.order_id, e.staff_id, e.reason, e.deleted_at, e.begun_at, e.step, e.round,
           coalesce(e.quiet_at <= now(), false), e.keys
    FROM auth.erasures e WHERE e.tenant_id = wanted $$;

CREATE FUNCTION auth.step_erasure(wanted uuid, was text, becomes text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF (was, becomes) NOT IN (('key', 'directory'), ('directory', 'rows'), ('rows', 'executions'), ('executions', 'graph'),
                              ('graph', 'scan'), ('scan', 'directory')) THEN
        RAISE EXCEPTION 'no such step' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE auth.erasures e SET step = becomes, round = e.round + (was = 'scan')::integer, last_error = NULL
    WHERE e.tenant_id = wanted AND e.step = was;
END $$;

CREATE FUNCTION auth.note_found(wanted uuid, what text, which text, number bigint) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.erasure_counts AS c (tenant_id, kind, name, round, found)
    SELECT wanted, what, which, e.round, number FROM auth.erasures e WHERE e.tenant_id = wanted AND e.finished_at IS NULL
    ON CONFLICT (tenant_id, kind, name, round) DO UPDATE SET found = greatest(c.found, EXCLUDED.found) $$;

CREATE FUNCTION auth.erasure_counts(wanted uuid, OUT kind text, OUT name text, OUT found bigint)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.kind, c.name, sum(c.found)::bigint FROM auth.erasure_counts c WHERE c.tenant_id = wanted
    GROUP BY c.kind, c.name ORDER BY c.kind, c.name $$;

-- The directory's own rows, found by their columns; the staff's log and the erasures themselves stay.

CREATE FUNCTION auth.directory_ties(OUT name text, OUT of_column text, OUT place bigint)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE known AS (
        SELECT c.oid, c.relname::text AS name, a.attname::text AS of_column FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'auth'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attname LIKE '%tenant\_id' AND c.relname NOT IN ('erasures', 'erasure_counts', 'staff_events', 'staff_orders')
    ), reached(oid, depth) AS (
        SELECT k.oid, 0 FROM known k
        UNION SELECT f.confrelid, r.depth + 1 FROM reached r JOIN pg_constraint f ON f.conrelid = r.oid
        WHERE f.contype = 'f' AND f.confrelid <> f.conrelid AND r.depth < 40
    )
    SELECT k.name, k.of_column, row_number() OVER (ORDER BY max(r.depth), k.name, k.of_column)
    FROM known k JOIN reached r ON r.oid = k.oid GROUP BY k.name, k.of_column ORDER BY 3 $$;

CREATE FUNCTION auth.erase_directory(wanted uuid, of_table text, tied_by text, most integer) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE gone bigint; turn integer; BEGIN
    SELECT e.round INTO turn FROM auth.erasures e WHERE e.tenant_id = wanted AND e.finished_at IS NULL AND e.step <> 'settle';
    IF turn IS NULL THEN
        RAISE EXCEPTION 'no erasure of this tenant is under way' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF NOT EXISTS (SELECT FROM auth.directory_ties() d WHERE d.name = of_table AND d.of_column = tied_by) THEN
        RAISE EXCEPTION 'no such table' USING ERRCODE = 'undefined_table';
    END IF;
    EXECUTE format('DELETE FROM auth.%1$I x USING (SELECT ctid FROM auth.%1$I WHERE %2$I = $1 LIMIT $2) part '
        'WHERE x.ctid = part.ctid', of_table, tied_by) USING wanted, most;
    GET DIAGNOSTICS gone = ROW_COUNT;
    INSERT INTO auth.erasure_counts AS c (tenant_id, kind, name, round, found)
    VALUES (wanted, 'directory', of_table || CASE tied_by WHEN 'tenant_id' THEN '' ELSE '.' || tied_by END, turn, gone)
    ON CONFLICT (tenant_id, kind, name, round) DO UPDATE SET found = c.found + EXCLUDED.found;
    RETURN gone;
END $$;

CREATE FUNCTION auth.directory_left(wanted uuid, OUT name text, OUT remaining bigint)
RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE tie record; BEGIN
    FOR tie IN SELECT d.name, d.of_column FROM auth.directory_ties() d LOOP
        name := tie.name || CASE tie.of_column WHEN 'tenant_id' THEN '' ELSE '.' || tie.of_column END;
        EXECUTE format('SELECT count(*) FROM auth.%I WHERE %I = $1', tie.name, tie.of_column) INTO remaining USING wanted;
        RETURN NEXT;
    END LOOP;
END $$;

-- Nothing is asked to be true sooner than every transaction is over that wrote when the fence went up.
CREATE FUNCTION auth.settle_erasure(wanted uuid) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE found auth.erasures; BEGIN
    SELECT * INTO found FROM auth.erasures e WHERE e.tenant_id = wanted FOR UPDATE;
    IF found.tenant_id IS NULL OR found.step <> 'settle' THEN RETURN true; END IF;
    IF found.waits IS NULL THEN
        found.waits := ARRAY(SELECT DISTINCT l.virtualtransaction FROM pg_locks l WHERE l.locktype = 'relation'
            AND l.mode = 'RowExclusiveLock' AND l.pid <> pg_backend_pid()
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()));
        UPDATE auth.erasures e SET waits = found.waits WHERE e.tenant_id = wanted;
    END IF;
    IF EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.virtualtransaction = ANY (found.waits)) THEN
        RETURN false;
    END IF;
    -- What a relay has in hand may still draw in the graph until its lease is over.
    UPDATE auth.erasures e SET step = 'key', quiet_at = greatest(now(),
        (SELECT max(d.lease_until) FROM auth.effects_due d WHERE d.tenant_id = wanted)) WHERE e.tenant_id = wanted;
    PERFORM auth.erase_directory(wanted, 'effects_due', 'tenant_id', 1000000);
    RETURN true;
END $$;

CREATE FUNCTION auth.note_erased_keys(wanted uuid, prints jsonb) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.erasures e SET keys = e.keys || prints WHERE e.tenant_id = wanted AND e.finished_at IS NULL $$;

-- What staff see of erasures.

CREATE FUNCTION auth.staff_erasures(of_tenant uuid, before timestamptz, before_id uuid, most integer,
    OUT tenant_id uuid, OUT slug text, OUT order_id uuid, OUT reason text, OUT deleted_at timestamptz, OUT begun_at timestamptz,
    OUT step text, OUT round integer, OUT attempts integer, OUT due_at timestamptz, OUT last_error text,
    OUT finished_at timestamptz, OUT certificate text, OUT signature bytea)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.tenant_id, e.slug, e.order_id, e.reason, e.deleted_at, e.begun_at, e.step, e.round, e.attempts, e.due_at,
           e.last_error, e.finished_at, e.certificate, e.signature FROM auth.erasures e
    WHERE (of_tenant IS NULL OR e.tenant_id = of_tenant) AND (before IS NULL OR (e.begun_at, e.tenant_id) < (before, before_id))
    ORDER BY e.begun_at DESC, e.tenant_id DESC LIMIT most $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.fence_rows(), auth.fence_tenant() TO sentinel_owner;
GRANT EXECUTE ON FUNCTION auth.erasure_begun(uuid) TO sentinel_app, sentinel_worker, sentinel_platform;
GRANT EXECUTE ON FUNCTION auth.audit_public_key(), auth.staff_erasures(uuid, timestamptz, uuid, integer) TO sentinel_platform;
GRANT EXECUTE ON FUNCTION auth.erasures_due(integer), auth.begin_erasure(uuid, uuid), auth.claim_erasure(interval),
    auth.keep_erasure(uuid, interval), auth.postpone_erasure(uuid, interval, text), auth.read_erasure(uuid),
    auth.step_erasure(uuid, text, text), auth.note_found(uuid, text, text, bigint), auth.erasure_counts(uuid),
    auth.directory_ties(), auth.erase_directory(uuid, text, text, integer), auth.directory_left(uuid),
    auth.settle_erasure(uuid), auth.note_erased_keys(uuid, jsonb) TO sentinel_worker;

-- The eraser, a role that nobody is: what it may see of an erasure, and where it writes down what it removed.
GRANT USAGE ON SCHEMA auth TO sentinel_eraser;
GRANT SELECT (tenant_id, step, round, finished_at) ON auth.erasures TO sentinel_eraser;
GRANT SELECT, INSERT, UPDATE ON auth.erasure_counts TO sentinel_eraser;
