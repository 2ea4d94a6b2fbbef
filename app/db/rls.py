"""The one generator of row-level security: what makes a table a tenant's, as SQL.

A permissive and a RESTRICTIVE policy, both FORCEd: dropping the first shows nothing, and a later permissive policy
cannot widen what the second allows. The setting is read in a sub-select, so that a cached plan does not depend on the
tenant it was made for; nullif, because the setting is '' and not NULL after a pooled connection's first SET LOCAL.
"""

from collections.abc import Iterable
from typing import Literal

SETTING = "app.current_tenant"
CURRENT_TENANT = "nullif(current_setting('app.current_tenant', true), '')::uuid"
ROLES = ("sentinel_app", "sentinel_worker")
ARCHIVIST = "sentinel_archivist"

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
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} TO {who} USING ({rule}) WITH CHECK ({rule})",
        f"CREATE POLICY tenant_guard ON {table} AS RESTRICTIVE TO {who} USING ({rule}) WITH CHECK ({rule})",
        f"GRANT {', '.join(grants)} ON {table} TO {who}",
    ]


def archived(home: str) -> list[str]:
    """Return the statements that let the archivist, and no login, delete events of a home's audit log, of one tenant.

    It reads of events only what places them in the order of seals; `home` is the schema.
    """
    rule = f"tenant_id = (SELECT {CURRENT_TENANT})"
    tables = {
        "audit_events": "SELECT (tenant_id, id, at, transaction), DELETE",
        "audit_seals": "SELECT (tenant_id, number, last_transaction, last_id)",
        "audit_removals": "SELECT (tenant_id, up_to)",
    }
    statements = [f"GRANT USAGE ON SCHEMA {home} TO {ARCHIVIST}"]
    for table, rights in tables.items():
        statements += [
            f"CREATE POLICY archivist ON {home}.{table} TO {ARCHIVIST} USING ({rule}) WITH CHECK ({rule})",
            f"CREATE POLICY archivist_guard ON {home}.{table} AS RESTRICTIVE TO {ARCHIVIST} "
            f"USING ({rule}) WITH CHECK ({rule})",
            f"GRANT {rights} ON {home}.{table} TO {ARCHIVIST}",
        ]
    return statements


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
