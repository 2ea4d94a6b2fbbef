"""The catalogue gate: what pg_catalog says of a migrated database, and what in it breaks the rules of isolation."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from tests.peers.declarations import (
    ALL,
    ARCHIVED,
    ARCHIVIST,
    BY_WORKER,
    DEFINERS,
    ERASER,
    ERASER_FUNCTIONS,
    ERASER_HOLDS,
    ERASER_RULE,
    ERASES,
    FUNCTIONS,
    GRANTS,
    GUARDED,
    LOGINS,
    NO_TENANT,
    NOT_FILTERED,
    READERS,
    RULE,
    STAYS,
    TENANT_COLUMN,
    UNIQUE_OVER_ALL,
)

Connection = psycopg.Connection[Any]
Check = Callable[[Connection], Iterator[str]]
CHECKS: list[Check] = []


def check(function: Check) -> Check:
    """Make `function` part of the gate."""
    CHECKS.append(function)
    return function


def problems(url: str) -> list[str]:
    """Return what breaks the rules in the database of `url` (a superuser's), one sentence each."""
    with psycopg.connect(url) as connection:
        return problems_seen(connection)


def problems_seen(connection: Connection) -> list[str]:
    """Return the same as a superuser's open transaction sees it."""
    connection.row_factory = namedtuple_row
    return [problem for one in CHECKS for problem in one(connection)]


def tables(connection: Connection) -> list[Any]:
    """Return (oid, name, column) of every tenant table: `column` is the one that says whose row it is."""
    rows = connection.execute(
        f"SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relname FROM pg_class c "
        f"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {GUARDED} AND c.relkind IN ('r', 'p') ORDER BY 2"
    ).fetchall()
    return [
        (row.oid, row.name, TENANT_COLUMN.get(row.name, "tenant_id")) for row in rows if row.relname not in NO_TENANT
    ]


@check
def columns(connection: Connection) -> Iterator[str]:
    """Every table says whose each row is."""
    for oid, name, column in tables(connection):
        found = connection.execute(
            "SELECT format_type(atttypid, -1) AS kind, attnotnull AS demanded FROM pg_attribute "
            "WHERE attrelid = %s AND attname = %s AND NOT attisdropped",
            [oid, column],
        ).fetchone()
        if found is None:
            yield f"{name} has no {column}"
        elif (found.kind, found.demanded) != ("uuid", True):
            yield f"{name}.{column} is not uuid NOT NULL"


@check
def security(connection: Connection) -> Iterator[str]:
    """Row-level security is on, also for the owner; the owner is the owner."""
    for oid, name, _column in tables(connection):
        row = connection.execute(
            "SELECT relrowsecurity AS enabled, relforcerowsecurity AS forced, relowner::regrole::text AS owner "
            "FROM pg_class WHERE oid = %s",
            [oid],
        ).fetchone()
        if not row.enabled:
            yield f"{name}: row-level security is not enabled"
        if not row.forced:
            yield f"{name}: row-level security is not forced"
        if row.owner != "sentinel_owner":
            yield f"{name} belongs to {row.owner}"


@check
def policies(connection: Connection) -> Iterator[str]:
    """Exactly two policies, permissive and restrictive, for reading and writing, on the one expression."""
    for oid, name, column in tables(connection):
        rows = connection.execute(
            "SELECT polname, polpermissive, polcmd, pg_get_expr(polqual, polrelid) AS qual, "
            "pg_get_expr(polwithcheck, polrelid) AS written, "
            "ARRAY(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END FROM unnest(polroles) r) AS roles "
            "FROM pg_policy WHERE polrelid = %s",
            [oid],
        ).fetchall()
        theirs = [row for row in rows if row.roles == [ARCHIVIST]]
        if [False, True] * (name.split(".")[1] in ARCHIVED) != sorted(row.polpermissive for row in theirs):
            yield f"{name}: the archivist has other policies than its pair"
        yield from _policy_faults(name, RULE.format(column=column), {ARCHIVIST}, theirs)
        for whose, rule, some in (
            ("", RULE, [row for row in rows if ERASER not in row.roles and row not in theirs]),
            ("of the eraser", ERASER_RULE, [row for row in rows if ERASER in row.roles]),
        ):
            kinds = sorted(row.polpermissive for row in some)
            if kinds != [False, True]:
                told = f"{name} has {kinds.count(True)} permissive and {kinds.count(False)} restrictive policies"
                yield f"{told} {whose}".rstrip()
            yield from _policy_faults(name, rule.format(column=column), {ERASER} if whose else READERS, some)


def _policy_faults(name: str, rule: str, roles: AbstractSet[str], rows: list[Any]) -> Iterator[str]:
    for row in rows:
        qual, written = (" ".join(str(part).split()) for part in (row.qual, row.written))
        if row.polcmd != b"*" and row.polcmd != "*":
            yield f"{name}: policy {row.polname} is for one command"
        if qual != rule:
            yield f"{name}: policy {row.polname} has USING {row.qual}"
        if written != rule:
            yield f"{name}: policy {row.polname} has WITH CHECK {row.written}"
        if set(row.roles) != roles:
            yield f"{name}: policy {row.polname} is for {', '.join(row.roles)}"


@check
def policy_functions(connection: Connection) -> Iterator[str]:
    """Policies call no function of ours, and the one they call is not IMMUTABLE."""
    rows = connection.execute(
        "SELECT p.polname, p.polrelid::regclass::text AS name, f.refobjid::regprocedure::text AS called "
        "FROM pg_policy p JOIN pg_depend f ON f.classid = 'pg_policy'::regclass AND f.objid = p.oid "
        "AND f.refclassid = 'pg_proc'::regclass"
    )
    for row in rows:
        yield f"{row.name}: policy {row.polname} calls {row.called}"
    kind = connection.execute(
        "SELECT provolatile FROM pg_proc WHERE oid = 'current_setting(text, boolean)'::regprocedure"
    )
    if kind.fetchone()[0] not in ("s", b"s"):
        yield "current_setting is not STABLE"


@check
def keys(connection: Connection) -> Iterator[str]:
    """Keys and unique indexes begin with the tenant: what another tenant has cannot be told from a refusal."""
    for oid, name, column in tables(connection):
        rows = connection.execute(
            "SELECT i.indexrelid::regclass::text AS index, i.indisunique, i.indisprimary, i.indpred IS NOT NULL AS part, "
            "i.indisvalid, (SELECT attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0]) "
            "AS leads FROM pg_index i WHERE i.indrelid = %s",
            [oid],
        ).fetchall()
        for row in rows:
            if row.indisunique and row.leads != column and row.index not in UNIQUE_OVER_ALL:
                yield f"{row.index} is unique over all tenants"
        if not any(row.indisprimary for row in rows):
            yield f"{name} has no primary key"
        if not any(row.leads == column and row.indisvalid and not row.part for row in rows):
            yield f"{name} has no index that begins with {column}"


@check
def exclusions(connection: Connection) -> Iterator[str]:
    """An exclusion constraint compares the tenant too."""
    for oid, name, column in tables(connection):
        rows = connection.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s AND contype = 'x' AND NOT EXISTS (SELECT FROM "
            "pg_attribute a WHERE a.attrelid = conrelid AND a.attname = %s AND a.attnum = ANY (conkey))",
            [oid, column],
        )
        for row in rows:
            yield f"{name}: {row.conname} excludes over all tenants"


@check
def foreign_keys(connection: Connection) -> Iterator[str]:
    """References carry the tenant first, on both sides, and stay among the tenants' tables."""
    column_of = {oid: column for oid, _name, column in tables(connection)}
    for oid, name, column in tables(connection):
        rows = connection.execute(
            "SELECT k.conname, k.confrelid AS target, k.confrelid::regclass::text AS other, "
            "(SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]) AS here, "
            "(SELECT attname FROM pg_attribute WHERE attrelid = k.confrelid AND attnum = k.confkey[1]) AS there "
            "FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = %s",
            [oid],
        )
        for row in rows:
            if row.target not in column_of:
                yield f"{name}: {row.conname} leads to {row.other}, which is no tenant's table"
            elif (row.here, row.there) != (column, column_of[row.target]):
                yield f"{name}: {row.conname} does not begin with the tenant"


@check
def grants(connection: Connection) -> Iterator[str]:
    """Web and worker hold what is declared on each table and nothing more; nobody else holds anything."""
    for oid, name, _column in [*tables(connection), *_marks(connection)]:
        rows = connection.execute(
            "SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS who, privilege_type AS what, "
            "is_grantable AS onward FROM pg_class, aclexplode(relacl) WHERE oid = %s AND grantee <> relowner "
            "UNION ALL SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, "
            "privilege_type || ' of a column', is_grantable FROM pg_attribute, aclexplode(attacl) WHERE attrelid = %s",
            [oid, oid],
        ).fetchall()
        declared = frozenset() if name.split(".")[1] in NO_TENANT else GRANTS.get(name, ALL)
        erases = frozenset() if name.split(".")[1] in NO_TENANT else ERASES
        for lacking in sorted(erases - {row.what for row in rows if row.who == ERASER}):
            yield f"{name}: {ERASER} lacks {lacking}"
        for row in rows:
            if row.who == ERASER and row.what in erases and not row.onward:
                continue
            besides = BY_WORKER.get(name, frozenset()) if row.who == "sentinel_worker" else frozenset()
            if row.who == ARCHIVIST and row.what in ARCHIVED.get(name.split(".")[1], frozenset()) and not row.onward:
                continue
            if row.who not in READERS or row.what not in declared | besides or row.onward:
                yield f"{name}: {row.who} holds {row.what}" + (" with grant option" if row.onward else "")


def _marks(connection: Connection) -> list[Any]:
    rows = connection.execute(
        f"SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relname FROM pg_class c "
        f"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {GUARDED} AND c.relkind = 'r'"
    ).fetchall()
    return [(row.oid, row.name, None) for row in rows if row.relname in NO_TENANT]


@check
def schemas(connection: Connection) -> Iterator[str]:
    """No login makes anything in a schema, and nothing is granted in advance."""
    rows = connection.execute(
        "SELECT n.nspname, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS who FROM pg_namespace n, "
        f"aclexplode(n.nspacl) WHERE ({GUARDED} OR n.nspname IN ('auth', 'eraser', 'public')) AND privilege_type = 'CREATE' "
        "AND grantee <> nspowner"
    )
    for row in rows:
        yield f"{row.who} can make things in the schema {row.nspname}"
    for row in connection.execute("SELECT defaclrole::regrole::text AS who FROM pg_default_acl"):
        yield f"{row.who} grants rights on things that do not exist yet"
    for row in connection.execute(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'sentinel%%' AND rolname <> 'sentinel_owner' "
        "AND (has_database_privilege(oid, current_database(), 'TEMP') "
        "OR has_database_privilege(oid, current_database(), 'CREATE'))"
    ):
        yield f"{row.rolname} can make temporary tables or schemas"


@check
def other_relations(connection: Connection) -> Iterator[str]:
    """Views run as who asks; materialised views, foreign tables and rules do not occur."""
    rows = connection.execute(
        "SELECT n.nspname || '.' || c.relname AS name, c.relkind::text AS kind, coalesce(c.reloptions, '{}') AS options "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^(pg_|information_schema)' "
        "AND c.relkind IN ('v', 'm', 'f') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
    )
    for row in rows:
        invoker = {"security_invoker=true", "security_invoker=on", "security_invoker=1"}
        if row.kind != "v":
            yield f"{row.name} is a " + {"m": "materialised view", "f": "foreign table"}[row.kind]
        elif not invoker & {option.lower() for option in row.options}:
            yield f"{row.name} is a view without security_invoker"
    held = connection.execute(
        "SELECT n.nspname || '.' || c.relname AS name, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END "
        "AS who, privilege_type AS what FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) "
        f"WHERE {GUARDED} AND c.relkind = 'v' AND grantee <> c.relowner"
    )
    for row in held:
        if row.who not in READERS or row.what != "SELECT":
            yield f"{row.name}: {row.who} holds {row.what}"
    rules = connection.execute(
        "SELECT w.rulename, w.ev_class::regclass::text AS name FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE w.rulename <> '_RETURN' "
        "AND n.nspname !~ '^(pg_|information_schema)'"
    )
    for row in rules:
        yield f"{row.name} has the rule {row.rulename}"


@check
def definer_functions(connection: Connection) -> Iterator[str]:
    """Functions with their owner's rights: fixed search path, the directory's, called only by whom we name."""
    rows = connection.execute(
        "SELECT p.oid, p.oid::regprocedure::text AS name, n.nspname, p.proname, p.prosecdef, p.prorettype = 'trigger'::regtype "
        "AS fires, p.proowner::regrole::text AS owner, coalesce(p.proconfig, '{}') AS config, "
        "ARRAY(SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END FROM "
        "aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee <> p.proowner) AS callers "
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname !~ '^(pg_|information_schema)' "
        "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
    ).fetchall()
    for row in rows:
        if not row.prosecdef:
            yield f"{row.name} is a function without an owner's rights: why is it in the database?"
            continue
        if "search_path=pg_catalog, pg_temp" not in row.config:
            yield f"{row.name} has no fixed search path"
        if row.owner != DEFINERS.get(row.nspname):
            yield f"{row.name} does not belong to the directory"
        named = ERASER_FUNCTIONS if row.nspname == "eraser" else FUNCTIONS
        allowed = {"sentinel_owner"} if row.fires else named.get(row.proname, frozenset())
        for caller in sorted(set(row.callers) - allowed):
            yield f"{row.name} can be called by {caller}"


@check
def directory(connection: Connection) -> Iterator[str]:
    """No login reads or writes the directory's tables; they are its own."""
    rows = connection.execute(
        "SELECT c.oid, c.relname AS name, c.relowner::regrole::text AS owner FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'auth' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')"
    ).fetchall()
    for row in rows:
        if row.owner != "sentinel_directory":
            yield f"auth.{row.name} belongs to {row.owner}"
        for login in LOGINS:
            for what in ("SELECT", "INSERT", "UPDATE", "REFERENCES"):
                if connection.execute(
                    "SELECT has_any_column_privilege(%s, %s::oid, %s)", [login, row.oid, what]
                ).fetchone()[0]:
                    yield f"auth.{row.name}: {login} holds {what}"
            for what in ("DELETE", "TRUNCATE", "TRIGGER"):
                if connection.execute("SELECT has_table_privilege(%s, %s::oid, %s)", [login, row.oid, what]).fetchone()[
                    0
                ]:
                    yield f"auth.{row.name}: {login} holds {what}"


@check
def logins(connection: Connection) -> Iterator[str]:
    """Logins have no attribute that gets round a policy, belong to no role, and own nothing."""
    rows = connection.execute(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, "
        "ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid) AS member_of "
        "FROM pg_roles r WHERE rolname LIKE 'sentinel%%'"
    ).fetchall()
    for row in rows:
        for attribute in ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication"):
            if getattr(row, attribute):
                yield f"{row.rolname} has {attribute}"
        expected = {"sentinel_directory", ARCHIVIST, ERASER} if row.rolname == "sentinel_owner" else set()
        for role in sorted(set(row.member_of) - expected):
            yield f"{row.rolname} is a member of {role}"
    owned = connection.execute(
        "SELECT r.rolname, d.classid::regclass::text AS kind, d.objid FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid "
        "WHERE d.deptype = 'o' AND r.rolname = ANY (%s) AND d.dbid IN (0, (SELECT oid FROM pg_database "
        "WHERE datname = current_database()))",
        [list(LOGINS)],
    )
    for row in owned:
        yield f"{row.rolname} owns the {row.kind} {row.objid}"


@check
def eraser(connection: Connection) -> Iterator[str]:
    """The eraser is nobody, owns its functions alone, and holds in the directory what is declared."""
    row = connection.execute(
        "SELECT rolcanlogin AS enters, ARRAY(SELECT member::regrole::text FROM pg_auth_members WHERE roleid = r.oid) "
        "AS members FROM pg_roles r WHERE rolname = %s",
        [ERASER],
    ).fetchone()
    if row.enters:
        yield f"{ERASER} can log in"
    for member in sorted(set(row.members) - {"sentinel_owner"}):
        yield f"{member} is a member of {ERASER}"
    for owned in connection.execute(
        "SELECT d.classid::regclass::text AS kind, d.objid FROM pg_shdepend d WHERE d.deptype = 'o' "
        "AND d.refobjid = %s::regrole AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) "
        "AND NOT (d.classid = 'pg_namespace'::regclass AND d.objid = 'eraser'::regnamespace) "
        "AND NOT (d.classid = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_proc p WHERE p.oid = d.objid "
        "AND p.pronamespace = 'eraser'::regnamespace AND p.proname = ANY (%s)))",
        [ERASER, sorted(ERASER_FUNCTIONS)],
    ):
        yield f"{ERASER} owns the {owned.kind} {owned.objid}"
    held = connection.execute(
        "SELECT c.relname AS name, privilege_type AS what FROM pg_class c, aclexplode(c.relacl) "
        "WHERE c.relnamespace = 'auth'::regnamespace AND grantee = %s::regrole UNION ALL "
        "SELECT c.relname, privilege_type || ' of ' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, "
        "aclexplode(a.attacl) WHERE c.relnamespace = 'auth'::regnamespace AND grantee = %s::regrole",
        [ERASER, ERASER],
    )
    for right in sorted({(one.name, one.what) for one in held} - ERASER_HOLDS):
        yield f"auth.{right[0]}: {ERASER} holds {right[1]}"


@check
def fences(connection: Connection) -> Iterator[str]:
    """No table takes a row of a tenant that is being erased: each has its trigger, and it fires."""
    for oid, name, _column in tables(connection):
        if not _fires(connection, oid, "auth.fence_rows()", 6):
            yield f"{name} has no fence: it takes rows of a tenant that is being erased"
    entries = connection.execute(
        "SELECT c.oid, c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = 'auth'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' "
        "AND NOT a.attisdropped"
    ).fetchall()
    for row in entries:
        if row.name not in STAYS and not _fires(connection, row.oid, "auth.fence_entry()", 7):
            yield f"auth.{row.name} has no fence: it takes rows that name a tenant which is being erased"


def _fires(connection: Connection, oid: int, function: str, kind: int) -> bool:
    """Tell whether a table has that trigger in force, of that kind (6: before insert, a statement; 7: a row)."""
    found = connection.execute(
        "SELECT FROM pg_trigger WHERE tgrelid = %s AND tgfoid = %s::regprocedure AND tgtype = %s AND tgenabled = 'O' "
        "AND tgqual IS NULL",
        [oid, function, kind],
    ).fetchone()
    return found is not None


@check
def operators(connection: Connection) -> Iterator[str]:
    """Columns have leakproof comparisons, so that an index serves a filter under a policy, or nobody filters on them."""
    for oid, name, _column in tables(connection):
        rows = connection.execute(
            "SELECT a.attname, format_type(a.atttypid, -1) AS kind, EXISTS (SELECT FROM pg_index i "
            "WHERE i.indrelid = a.attrelid AND a.attnum = ANY (i.indkey)) AS indexed, "
            "(SELECT bool_and(p.proleakproof) FROM pg_opclass c JOIN pg_amop o ON o.amopfamily = c.opcfamily "
            "AND o.amoplefttype = c.opcintype AND o.amoprighttype = c.opcintype JOIN pg_proc p ON p.oid = "
            "(SELECT oprcode FROM pg_operator WHERE oid = o.amopopr) WHERE c.opcdefault AND c.opcintype = a.atttypid "
            "AND c.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree')) AS leakproof "
            "FROM pg_attribute a WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped",
            [oid],
        ).fetchall()
        for row in rows:
            if row.leakproof or (row.attname in NOT_FILTERED and not row.indexed):
                continue
            yield f"{name}.{row.attname} is {row.kind}, whose comparison is not leakproof"
