"""Tenants with a row of every kind, and looking for what is left of them in every table of a database."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg.rows import namedtuple_row
from sqlalchemy.orm import Session

from app.core.errors import Unavailable
from app.services import erasure_certificates
from app.services.erasers import Eraser, Executions
from tests.peers import rows
from tests.peers.rows import Planted, Shape
from tests.plugins.servers import Database

TABLES = (
    "SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_' ORDER BY 1"
)
BEHIND = ("auth.users", "auth.mails", "auth.sessions")  # what rows of the directory refer to


class Gone(BaseException):
    """The worker is killed: nothing of it runs any more."""


class MemoryExecutions:
    """Executions that are numbers: `away` as often as it says, with `late` ones that come once none was counted."""

    def __init__(self, open_ones: int = 0, closed: int = 0) -> None:
        self.found = Executions(open_ones, closed)
        self.away = 0
        self.late = 0

    def count(self, _tenant_id: UUID) -> Executions:
        if self.away:
            self.away -= 1
            raise Unavailable("Temporal is away.")
        counted = self.found
        if counted == Executions(0, 0):
            self.found, self.late = Executions(self.late, 0), 0
        return counted

    def remove(self, _tenant_id: UUID) -> None:
        self.found = Executions(0, 0)


class DyingEraser(Eraser):
    """Dies at its `commits`-th commit: before it, or `after` it."""

    commits = 1_000_000
    after = False

    @contextmanager
    def directory(self) -> Iterator[Session]:
        self.commits -= 1
        with super().directory() as session:
            yield session
            if self.commits < 0 and not self.after:
                raise Gone
        if self.commits < 0:
            raise Gone


def die(eraser: DyingEraser, commits: int, *, after: bool) -> None:
    """Let the eraser work until it dies, or has nothing to do."""
    eraser.commits, eraser.after = commits, after
    with suppress(Gone):
        eraser.run_once()


def plant(database: Database, shapes: list[Shape]) -> Planted:
    """Make a tenant with a row in every table of a tenant, and one in every table of the directory that names it."""
    with psycopg.connect(database.worker) as connection:
        tenant = rows.plant(connection, shapes)
    with psycopg.connect(database.superuser, row_factory=namedtuple_row) as connection:
        ties = connection.execute("SELECT 'auth.' || name AS name, of_column FROM auth.directory_ties()").fetchall()
        columns: dict[str, list[str]] = {}
        for tie in ties:
            columns.setdefault(tie.name, []).append(tie.of_column)
        for name in [*BEHIND, *sorted(columns.keys() - set(BEHIND))]:
            plant_entry(connection, name, columns.get(name, []), tenant)
    return tenant


def plant_entry(connection: psycopg.Connection[Any], name: str, columns: list[str], tenant: Planted) -> None:
    """Plant a row of the directory that names the tenant in these columns."""
    if columns == ["tenant_id"]:
        mirrored = connection.execute(
            f"SELECT FROM {name} WHERE tenant_id = %s".encode(), [tenant.tenant_id]
        ).fetchone()
        if mirrored is not None:
            return
    oid = connection.execute("SELECT %s::regclass::oid", [name]).fetchone()[0]
    shape = rows.shape_of(connection, oid, name, "tenant_id")
    row = rows.values(shape, tenant.tenant_id, tenant.rows)
    row |= dict.fromkeys(columns, tenant.tenant_id)
    tenant.rows[name] = row
    rows.insert(connection, name, row)


def delete(database: Database, tenant_id: UUID, *, days: int = 0) -> None:
    """Close the tenant, to be erased after so many days."""
    with psycopg.connect(database.worker) as connection:
        connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(tenant_id)])
        connection.execute(
            "UPDATE control.tenants SET status = 'deleted', deleted_at = now(), "
            "purge_at = now() + make_interval(days => %s) WHERE id = %s",
            [days, tenant_id],
        )


def release(database: Database) -> None:
    """Let whoever comes next have the erasures that a killed worker held or put off."""
    with psycopg.connect(database.superuser) as connection:
        connection.execute("UPDATE auth.erasures SET lease_until = NULL, due_at = now() WHERE finished_at IS NULL")


def erase(database: Database, eraser: Eraser) -> None:
    """Let the eraser come back until nothing is under way, ten times at most."""
    if isinstance(eraser, DyingEraser):
        eraser.commits = 10_000
    for _ in range(10):
        eraser.run_once()
        release(database)
        with psycopg.connect(database.superuser) as seen:
            if seen.execute("SELECT FROM auth.erasures WHERE finished_at IS NULL").fetchone() is None:
                return


def progress(database: Database) -> tuple[str, str | None]:
    """Return the step of the only erasure, and what it waits for."""
    with psycopg.connect(database.superuser) as seen:
        found = seen.execute("SELECT step, last_error FROM auth.erasures").fetchone()
    assert found is not None
    return found


def kept(database: Database, tenant_id: UUID) -> tuple[bytes, Ed25519PublicKey]:
    """Return the tenant's certificate as a file, and the key to check it with."""
    with psycopg.connect(database.platform) as connection:
        found = connection.execute(
            "SELECT certificate, signature FROM auth.staff_erasures(%s, NULL, NULL, 1)", [tenant_id]
        ).fetchone()
        raw = connection.execute("SELECT auth.audit_public_key()").fetchone()
    assert found is not None and raw is not None
    assert found[0] is not None, "not finished"
    return erasure_certificates.signed(*found), Ed25519PublicKey.from_public_bytes(raw[0])


def traces(database: Database, *marks: str) -> dict[str, int]:
    """Return in how many rows of each table one of the marks stands, whatever the column."""
    found = {}
    with psycopg.connect(database.superuser, row_factory=namedtuple_row) as connection:
        for table in connection.execute(TABLES).fetchall():
            number = connection.execute(
                f"SELECT count(*) AS rows FROM {table.name} x WHERE x::text ~ %s".encode(), ["|".join(marks)]
            ).fetchone()
            if number.rows:
                found[table.name] = number.rows
    return found


def contents(database: Database) -> dict[str, Counter[str]]:
    """Return every row of every table, as text."""
    found = {}
    with psycopg.connect(database.superuser, row_factory=namedtuple_row) as connection:
        for table in connection.execute(TABLES).fetchall():
            every = connection.execute(f"SELECT x::text AS row FROM {table.name} x".encode()).fetchall()
            found[table.name] = Counter(row.row for row in every)
    return found
