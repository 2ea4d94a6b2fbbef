"""The catalogue gate: what pg_catalog says of the migrated database, compared with the rules and with the models."""

import psycopg
import pytest
from sqlalchemy.dialects import postgresql

from app.db.rls import protect, tenant_table
from tests.peers.catalogue import CHECKS, problems, problems_seen
from tests.peers.declarations import GUARDED, NO_TENANT, NOT_FILTERED
from tests.peers.mappings import mapped_classes
from tests.plugins.servers import Database

GOOD = "name text, asset_id uuid, FOREIGN KEY (tenant_id, asset_id) REFERENCES shared.assets (tenant_id, id)"


def planted(database: Database, *statements: str, login: str = "sentinel_owner") -> list[str]:
    """Return the problems that the gate sees after statements of a role, all in a transaction that is rolled back."""
    with psycopg.connect(database.superuser) as connection:
        connection.execute(f"SET ROLE {login}".encode())
        for statement in statements:
            connection.execute(statement.encode())
        connection.execute("RESET ROLE")
        found = problems_seen(connection)
        connection.rollback()
    return found


def test_the_migrated_database_passes(postgres_server: Database) -> None:
    """Every table, policy, key, grant, function and login keeps the rules."""
    assert problems(postgres_server.superuser) == []


def test_a_table_from_the_generator_passes(postgres_server: Database) -> None:
    """What the generator makes needs nothing more."""
    assert planted(postgres_server, *tenant_table("shared.planted", GOOD)) == []


TABLE = (
    "CREATE TABLE shared.planted (tenant_id uuid NOT NULL, id uuid NOT NULL, body text, PRIMARY KEY (tenant_id, id))"
)
RULE = "tenant_id = (SELECT nullif(current_setting('app.current_tenant', true), '')::uuid)"
BOTH = f"USING ({RULE}) WITH CHECK ({RULE})"
WHO = "TO sentinel_app, sentinel_worker"
DIRECTORY = "SET ROLE sentinel_directory"
DEFINER = "LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1'"
WITHOUT = [statement for statement in protect("shared.planted") if "POLICY" not in statement]
BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no tenant": (
        ("CREATE TABLE shared.planted (id uuid PRIMARY KEY)",),
        "shared.planted has no tenant_id",
    ),
    "tenant may be null": (
        ("CREATE TABLE shared.planted (tenant_id uuid, id uuid PRIMARY KEY)",),
        "shared.planted.tenant_id is not uuid NOT NULL",
    ),
    "no security": ((TABLE,), "shared.planted: row-level security is not enabled"),
    "not forced": (
        (TABLE, "ALTER TABLE shared.planted ENABLE ROW LEVEL SECURITY"),
        "shared.planted: row-level security is not forced",
    ),
    "no policy": ((TABLE, *WITHOUT), "shared.planted has 0 permissive and 0 restrictive policies"),
    "no restrictive policy": (
        (TABLE, *WITHOUT, f"CREATE POLICY tenant ON shared.planted {WHO} {BOTH}"),
        "shared.planted has 1 permissive and 0 restrictive policies",
    ),
    "a second permissive policy": (
        (TABLE, *protect("shared.planted"), f"CREATE POLICY more ON shared.planted {WHO} {BOTH}"),
        "shared.planted has 2 permissive and 1 restrictive policies",
    ),
    "a policy that lets all pass": (
        (TABLE, *protect("shared.planted"), f"ALTER POLICY tenant ON shared.planted {WHO} USING (true)"),
        "shared.planted: policy tenant has USING true",
    ),
    "a policy that lets all be written": (
        (TABLE, *protect("shared.planted"), f"ALTER POLICY tenant_guard ON shared.planted {WHO} WITH CHECK (true)"),
        "shared.planted: policy tenant_guard has WITH CHECK true",
    ),
    "a policy in the direct form": (
        (
            TABLE,
            *protect("shared.planted"),
            f"ALTER POLICY tenant ON shared.planted USING ({RULE.replace('(SELECT ', '(')})",
        ),
        "shared.planted: policy tenant has USING (tenant_id = (NULLIF(",
    ),
    "a policy for one command": (
        (TABLE, *WITHOUT, f"CREATE POLICY tenant ON shared.planted FOR SELECT {WHO} USING ({RULE})"),
        "shared.planted: policy tenant is for one command",
    ),
    "a policy for one role": (
        (TABLE, *protect("shared.planted", roles=("sentinel_app",))),
        "shared.planted: policy tenant is for sentinel_app",
    ),
    "a policy with a function of ours": (
        (
            TABLE,
            "CREATE FUNCTION shared.mine() RETURNS uuid LANGUAGE sql IMMUTABLE AS "
            "$$ SELECT current_setting('app.current_tenant')::uuid $$",
            *WITHOUT,
            "CREATE POLICY tenant ON shared.planted USING (tenant_id = shared.mine())",
        ),
        "shared.planted: policy tenant calls shared.mine()",
    ),
    "a key over all tenants": (
        ("CREATE TABLE shared.planted (tenant_id uuid NOT NULL, id uuid PRIMARY KEY)", *protect("shared.planted")),
        "shared.planted_pkey is unique over all tenants",
    ),
    "no index by tenant": (
        ("CREATE TABLE shared.planted (tenant_id uuid NOT NULL, id uuid PRIMARY KEY)", *protect("shared.planted")),
        "shared.planted has no index that begins with tenant_id",
    ),
    "a partial index by tenant": (
        (
            "CREATE TABLE shared.planted (tenant_id uuid NOT NULL, id uuid)",
            "CREATE INDEX ON shared.planted (tenant_id) WHERE id IS NULL",
        ),
        "shared.planted has no index that begins with tenant_id",
    ),
    "no key": (("CREATE TABLE shared.planted (tenant_id uuid NOT NULL)",), "shared.planted has no primary key"),
    "unique over all tenants": (
        (*tenant_table("shared.planted", "name text UNIQUE"),),
        "shared.planted_name_key is unique over all tenants",
    ),
    "excludes over all tenants": (
        (*tenant_table("shared.planted", "span tstzrange, EXCLUDE USING gist (span WITH &&)"),),
        "shared.planted: planted_span_excl excludes over all tenants",
    ),
    "a reference without the tenant": (
        (
            *tenant_table("shared.other", "UNIQUE (id)"),
            *tenant_table("shared.planted", "other_id uuid REFERENCES shared.other (id)"),
        ),
        "shared.planted: planted_other_id_fkey does not begin with the tenant",
    ),
    "a reference with the tenant second": (
        (
            *tenant_table("shared.other", "UNIQUE (id, tenant_id)"),
            *tenant_table(
                "shared.planted",
                "other_id uuid, FOREIGN KEY (other_id, tenant_id) REFERENCES shared.other (id, tenant_id)",
            ),
        ),
        "shared.planted: planted_other_id_tenant_id_fkey does not begin with the tenant",
    ),
    "a reference to the directory": (
        (
            DIRECTORY,
            "GRANT REFERENCES ON auth.users TO sentinel_owner",
            "RESET ROLE",
            *tenant_table("shared.planted", "user_id uuid REFERENCES auth.users"),
        ),
        "leads to auth.users, which is no tenant's table",
    ),
    "truncate": (
        ("GRANT TRUNCATE ON shared.scans TO sentinel_app",),
        "shared.scans: sentinel_app holds TRUNCATE",
    ),
    "references": (
        ("GRANT REFERENCES ON shared.scans TO sentinel_worker",),
        "shared.scans: sentinel_worker holds REFERENCES",
    ),
    "trigger": (("GRANT TRIGGER ON shared.scans TO sentinel_app",), "shared.scans: sentinel_app holds TRIGGER"),
    "public": (("GRANT SELECT ON shared.scans TO PUBLIC",), "shared.scans: PUBLIC holds SELECT"),
    "the staff's login": (
        ("GRANT SELECT ON shared.scans TO sentinel_platform",),
        "shared.scans: sentinel_platform holds SELECT",
    ),
    "the trail can be changed": (
        ("GRANT UPDATE ON shared.audit_events TO sentinel_app",),
        "shared.audit_events: sentinel_app holds UPDATE",
    ),
    "a column": (
        ("GRANT SELECT (id) ON shared.scans TO sentinel_platform",),
        "shared.scans: sentinel_platform holds SELECT of a column",
    ),
    "grant option": (
        ("GRANT SELECT ON shared.scans TO sentinel_app WITH GRANT OPTION",),
        "shared.scans: sentinel_app holds SELECT with grant option",
    ),
    "the schema's mark": (
        ("GRANT SELECT ON shared.schema_version TO sentinel_app",),
        "shared.schema_version: sentinel_app holds SELECT",
    ),
    "a login makes tables": (
        ("GRANT CREATE ON SCHEMA shared TO sentinel_app",),
        "sentinel_app can make things in the schema shared",
    ),
    "temporary tables": (
        ("DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO sentinel_app', current_database()); END $$",),
        "sentinel_app can make temporary tables or schemas",
    ),
    "granted in advance": (
        ("ALTER DEFAULT PRIVILEGES IN SCHEMA shared GRANT SELECT ON TABLES TO sentinel_platform",),
        "sentinel_owner grants rights on things that do not exist yet",
    ),
    "a view with its owner's rights": (
        ("CREATE VIEW shared.planted AS SELECT * FROM shared.scans",),
        "shared.planted is a view without security_invoker",
    ),
    "a view that the staff's login reads": (
        ("GRANT SELECT ON control.v_active_tenants TO sentinel_platform",),
        "control.v_active_tenants: sentinel_platform holds SELECT",
    ),
    "a materialised view": (
        ("CREATE MATERIALIZED VIEW shared.planted AS SELECT * FROM shared.scans",),
        "shared.planted is a materialised view",
    ),
    "a rule": (
        ("CREATE RULE planted AS ON DELETE TO shared.scans DO INSTEAD NOTHING",),
        "shared.scans has the rule planted",
    ),
    "a definer function with a loose path": (
        (
            DIRECTORY,
            "CREATE FUNCTION auth.planted() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        ),
        "auth.planted() has no fixed search path",
    ),
    "a definer function for all": (
        (DIRECTORY, f"CREATE FUNCTION auth.planted() RETURNS int {DEFINER}"),
        "auth.planted() can be called by PUBLIC",
    ),
    "a definer function nobody declared": (
        (
            DIRECTORY,
            f"CREATE FUNCTION auth.planted() RETURNS int {DEFINER}",
            "GRANT EXECUTE ON FUNCTION auth.planted() TO sentinel_app",
        ),
        "auth.planted() can be called by sentinel_app",
    ),
    "a definer function of the owner": (
        (f"CREATE FUNCTION shared.planted() RETURNS int {DEFINER}",),
        "shared.planted() does not belong to the directory",
    ),
    "the web calls the worker's": (
        (
            DIRECTORY,
            "GRANT EXECUTE ON FUNCTION auth.tenants_at_work() TO sentinel_app",
        ),
        "auth.tenants_at_work() can be called by sentinel_app",
    ),
    "the directory is read": (
        (DIRECTORY, "GRANT SELECT ON auth.users TO sentinel_app"),
        "auth.users: sentinel_app holds SELECT",
    ),
    "a column of the directory is read": (
        (DIRECTORY, "GRANT SELECT (email) ON auth.users TO sentinel_worker"),
        "auth.users: sentinel_worker holds SELECT",
    ),
    "a policy that shows the eraser all": (
        ("ALTER POLICY eraser ON shared.scans USING (true)",),
        "shared.scans: policy eraser has USING true",
    ),
    "the eraser without its guard": (
        ("DROP POLICY eraser_guard ON shared.audit_events",),
        "shared.audit_events has 1 permissive and 0 restrictive policies of the eraser",
    ),
    "a policy for the eraser and another": (
        ("ALTER POLICY eraser ON shared.scans TO sentinel_eraser, sentinel_worker",),
        "shared.scans: policy eraser is for sentinel_eraser, sentinel_worker",
    ),
    "the eraser writes": (
        ("GRANT UPDATE ON shared.scans TO sentinel_eraser",),
        "shared.scans: sentinel_eraser holds UPDATE",
    ),
    "a table that is never erased": (
        ("REVOKE DELETE ON shared.scans FROM sentinel_eraser",),
        "shared.scans: sentinel_eraser lacks DELETE",
    ),
    "a table that goes on taking rows": (
        ("ALTER TABLE shared.scans DISABLE TRIGGER fence",),
        "shared.scans has no fence",
    ),
    "an entry that goes on being made": (
        (DIRECTORY, "CREATE TABLE auth.planted (tenant_id uuid NOT NULL)"),
        "auth.planted has no fence",
    ),
    "the web erases": (
        (
            "SET ROLE sentinel_eraser",
            "GRANT EXECUTE ON FUNCTION eraser.erase_rows(uuid, text, integer) TO sentinel_app",
        ),
        "eraser.erase_rows(uuid,text,integer) can be called by sentinel_app",
    ),
    "an eraser's function that nobody declared": (
        ("SET ROLE sentinel_eraser", f"CREATE FUNCTION eraser.planted() RETURNS int {DEFINER}"),
        "sentinel_eraser owns the pg_proc",
    ),
    "the eraser reads a certificate": (
        (DIRECTORY, "GRANT SELECT (certificate) ON auth.erasures TO sentinel_eraser"),
        "auth.erasures: sentinel_eraser holds SELECT of certificate",
    ),
    "the worker removes a certificate": (
        (DIRECTORY, "GRANT DELETE ON auth.erasures TO sentinel_worker"),
        "auth.erasures: sentinel_worker holds DELETE",
    ),
    "jsonb is indexed": (
        ("CREATE INDEX ON shared.scans (tenant_id, notes)",),
        "shared.scans.notes is jsonb, whose comparison is not leakproof",
    ),
    "an enum": (
        ("CREATE TYPE shared.mood AS ENUM ('good')", *tenant_table("shared.planted", "mood shared.mood")),
        "shared.planted.mood is shared.mood, whose comparison is not leakproof",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_each_fault_is_seen(name: str, postgres_server: Database) -> None:
    """A fault that is planted is named."""
    statements, expected = BAD[name]
    assert any(expected in problem for problem in planted(postgres_server, *statements))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("ALTER ROLE sentinel_platform BYPASSRLS", "sentinel_platform has rolbypassrls"),
        ("ALTER ROLE sentinel_app SUPERUSER", "sentinel_app has rolsuper"),
        ("GRANT sentinel_owner TO sentinel_platform", "sentinel_platform is a member of sentinel_owner"),
        ("GRANT pg_read_all_data TO sentinel_app", "sentinel_app is a member of pg_read_all_data"),
        ("GRANT sentinel_eraser TO sentinel_worker", "sentinel_worker is a member of sentinel_eraser"),
        ("ALTER ROLE sentinel_eraser LOGIN", "sentinel_eraser can log in"),
        ("ALTER TABLE shared.scan_steps OWNER TO sentinel_app", "shared.scan_steps belongs to sentinel_app"),
        ("ALTER TABLE shared.scan_steps OWNER TO sentinel_app", "sentinel_app owns the pg_class"),
    ],
)
def test_each_fault_of_a_login_is_seen(statement: str, expected: str, postgres_server: Database) -> None:
    """A login with too many rights is named."""
    assert any(expected in problem for problem in planted(postgres_server, statement, login="postgres"))


def test_every_check_has_a_planted_fault() -> None:
    """No check of the gate is without a fault that it must find."""
    assert len(CHECKS) == 16


Column = tuple[str, str, str, bool, bool]


def described(connection: psycopg.Connection) -> set[Column]:
    """Return every column of the tenant tables: table, name, type, whether it may be null, whether it is in the key."""
    rows = connection.execute(
        f"SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, "
        f"EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary "
        f"AND a.attnum = ANY (i.indkey)) "
        f"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid "
        f"WHERE {GUARDED} AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> ALL (%s)",
        [list(NO_TENANT)],
    )
    return set(rows.fetchall())


def mapped() -> set[Column]:
    """Return the same of the models."""
    dialect = postgresql.dialect()
    return {
        (
            f"{cls.__table__.schema or 'shared'}.{cls.__table__.name}",
            column.name,
            column.type.compile(dialect).lower(),
            bool(column.nullable),
            column.primary_key,
        )
        for cls in mapped_classes()
        for column in cls.__table__.columns
    }


def test_models_and_tables_agree(postgres_server: Database) -> None:
    """Every model has its table and every table its model, with the same columns, types, nullability and key."""
    with psycopg.connect(postgres_server.superuser) as connection:
        assert mapped() ^ described(connection) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE shared.scans ADD COLUMN extra text",
        "ALTER TABLE shared.scans ALTER COLUMN tool TYPE varchar(9)",
        "ALTER TABLE shared.scans ALTER COLUMN tool DROP NOT NULL",
        "ALTER TABLE shared.scans DROP COLUMN failure",
        "CREATE TABLE shared.planted (tenant_id uuid)",
    ],
)
def test_the_comparison_can_fail(statement: str, postgres_server: Database) -> None:
    """A column too many or too few, another type and a table without a model are seen."""
    with psycopg.connect(postgres_server.superuser) as connection:
        connection.execute(statement.encode())
        differences = mapped() ^ described(connection)
        connection.rollback()
    assert differences


def test_columns_not_filtered_on_exist() -> None:
    """The list of columns that nobody filters on names no column that is gone."""
    names = {column.name for cls in mapped_classes() for column in cls.__table__.columns}
    assert names >= NOT_FILTERED
