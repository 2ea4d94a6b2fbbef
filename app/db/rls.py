"""The one generator of row-level security: what makes a table a tenant's, as SQL.

A permissive and a RESTRICTIVE policy, both FORCEd: dropping the first shows nothing, and a later permissive policy
cannot widen what the second allows. The setting is read in a sub-select, so that a cached plan does not depend on the
tenant it was made for; nullif, because the setting is '' and not NULL after a pooled connection's first SET LOCAL.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

SETTING = "app.current_tenant"
CURRENT_TENANT = "nullif(current_setting('app.current_tenant', true), '')::uuid"
ROLES = ("sentinel_app", "sentinel_worker")
ARCHIVIST = "sentinel_archivist"
ERASER = "sentinel_eraser"
UNDER_WAY = "e.finished_at IS NULL AND e.step <> 'settle'"
ERASED_TENANT = f"SELECT e.tenant_id FROM auth.erasures e WHERE e.tenant_id = {CURRENT_TENANT} AND {UNDER_WAY}"  # noqa: S608

Grant = Literal["SELECT", "INSERT", "UPDATE", "DELETE"]
ALL: tuple[Grant, ...] = ("SELECT", "INSERT", "UPDATE", "DELETE")


def protect(
    table: str, *, column: str = "tenant_id", roles: Iterable[str] = ROLES, grants: Iterable[Grant] = ALL
) -> list[str]:
    """Return the statements that put `table` (with its schema, if it has one) under row-level security.

    The roles get `grants` on it and nothing more: never TRUNCATE, REFERENCES or TRIGGER.
    """
    who = ", ".join(roles)
    rule = f"{column} = (SELECT {CURRENT_TENANT})"
    erasing = "; ".join(erasable(table, column=column))
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} TO {who} USING ({rule}) WITH CHECK ({rule})",
        f"CREATE POLICY tenant_guard ON {table} AS RESTRICTIVE TO {who} USING ({rule}) WITH CHECK ({rule})",
        f"GRANT {', '.join(grants)} ON {table} TO {who}",
        # Revisions that are older than the eraser make their tables without it; its own takes those up.
        f"DO $$ BEGIN IF to_regprocedure('auth.fence_rows()') IS NOT NULL THEN {erasing}; END IF; END $$",
    ]


def archived(home: str) -> list[str]:
    """Return the statements that let the archivist, and no login, delete events of a home's audit log, of one tenant.

    It reads of events only what places them in the order of seals; `home` is the schema.
    """
    return _open_to_archivist(
        home,
        {
            "audit_events": "SELECT (tenant_id, id, at, transaction), DELETE",
            "audit_seals": "SELECT (tenant_id, number, last_transaction, last_id)",
            "audit_removals": "SELECT (tenant_id, up_to)",
        },
    )


def calls_archived(home: str) -> list[str]:
    """Return the statements that let the archivist, and no login, delete API calls of one tenant, in a content home.

    It reads when they were, and which days and minutes have sums; `home` is the schema.
    """
    return _open_to_archivist(
        home,
        {
            "api_calls": "SELECT (tenant_id, id, at), DELETE",
            "usage_days": "SELECT (tenant_id, day)",
            "usage_minutes": "SELECT (tenant_id, minute)",
        },
    )


def _open_to_archivist(home: str, tables: Mapping[str, str]) -> list[str]:
    rule = f"tenant_id = (SELECT {CURRENT_TENANT})"
    statements = [f"GRANT USAGE ON SCHEMA {home} TO {ARCHIVIST}"]
    for table, rights in tables.items():
        statements += [
            f"CREATE POLICY archivist ON {home}.{table} TO {ARCHIVIST} USING ({rule}) WITH CHECK ({rule})",
            f"CREATE POLICY archivist_guard ON {home}.{table} AS RESTRICTIVE TO {ARCHIVIST} "
            f"USING ({rule}) WITH CHECK ({rule})",
            f"GRANT {rights} ON {home}.{table} TO {ARCHIVIST}",
        ]
    return statements


def erasable(table: str, *, column: str = "tenant_id") -> list[str]:
    """Return the statements that open a tenant's table to the eraser, and fence it.

    The eraser sees and deletes the rows of the present tenant while that tenant's erasure is under way. From its
    beginning on the table takes no row of the tenant any more.
    """
    rule = f"{column} = ({ERASED_TENANT})"
    return [
        f"CREATE POLICY eraser ON {table} TO {ERASER} USING ({rule}) WITH CHECK ({rule})",
        f"CREATE POLICY eraser_guard ON {table} AS RESTRICTIVE TO {ERASER} USING ({rule}) WITH CHECK ({rule})",
        f"GRANT SELECT, DELETE ON {table} TO {ERASER}",
        f"CREATE TRIGGER fence BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION auth.fence_rows()",
    ]


FENCE_DIRECTORY = """DO $$
DECLARE entry regclass; BEGIN
    IF to_regprocedure('auth.fence_entry()') IS NULL THEN RETURN; END IF;
    FOR entry IN
        SELECT format('auth.%I', d.name)::regclass FROM auth.directory_ties() d WHERE d.of_column = 'tenant_id'
    LOOP
        IF NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = entry AND g.tgname = 'fence') THEN
            EXECUTE format('CREATE TRIGGER fence BEFORE INSERT ON %s FOR EACH ROW '
                           'EXECUTE FUNCTION auth.fence_entry()', entry);
        END IF;
    END LOOP;
END $$"""
"""Lets no table of the directory take a row of an erased tenant: as the directory, after all revisions."""


def tenant_table(table: str, columns: str, *, grants: Iterable[Grant] = ALL) -> list[str]:
    """Return the statements that make a tenant's table: `tenant_id` and `id` first, key (tenant_id, id), protected.

    `columns` is the rest of the table's body: further columns and constraints, composite foreign keys included.
    """
    body = columns.strip().rstrip(",")
    return [
        f"CREATE TABLE {table} (tenant_id uuid NOT NULL DEFAULT {CURRENT_TENANT}, id uuid NOT NULL, "
        f"{body}, PRIMARY KEY (tenant_id, id))",
        *protect(table, grants=grants),
    ]


def adopt_tables(tables: Iterable[str]) -> list[str]:
    """Return the statements that turn existing, empty tables into tenants' tables: column, index, policies."""
    statements: list[str] = []
    for table in tables:
        name = table.rsplit(".", 1)[-1]
        statements += [
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS tenant_id uuid NOT NULL DEFAULT {CURRENT_TENANT}",
            f"CREATE INDEX IF NOT EXISTS {name}_tenant_idx ON {table} (tenant_id)",
            *protect(table),
        ]
    return statements
