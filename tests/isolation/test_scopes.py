"""The tenant of a transaction: where it comes from, when it ends, and what a unit of work refuses."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError
from sqlalchemy.orm import make_transient_to_detached

from app.core.ids import new_id
from app.db.engines import NOBODY
from app.db.units import Home, Unit, Units
from app.models.accounts import Membership
from app.models.assets import Asset
from app.models.scans import Engagement, Scan
from app.models.tenants import Tenant
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from app.tenancy.placements import Isolation, Placement
from tests.isolation.conftest import UnitsOf
from tests.peers import rows
from tests.peers.mappings import mapped_classes
from tests.peers.rows import Planted, Shape
from tests.plugins.servers import Database

TESTER = system_actor("scopes")
WHOSE = text("SELECT current_setting('app.current_tenant', true)")


@contextmanager
def unit_of(units: Units, tenant_id: UUID, home: Home = Home.CONTENT) -> Iterator[Unit]:
    """Open a unit for a tenant."""
    with tenant_scope(tenant_id), units.open(home, TESTER) as unit:
        yield unit


@pytest.fixture
def one_connection(units_of: UnitsOf, postgres_server: Database) -> Units:
    """Units of work that share one pooled connection of the web's login."""
    return units_of(postgres_server.app)


def after_use(units: Units) -> str:
    """Return what tenant the pooled connection has when nobody's work begins on it, asked past every scope."""
    connection = units.engines.control.raw_connection()
    try:
        return (
            connection.driver_connection.execute("SELECT current_setting('app.current_tenant', true)").fetchone()[0]
            or ""
        )
    finally:
        connection.close()


def test_without_a_tenant_no_unit_opens(one_connection: Units) -> None:
    """A unit of work without a tenant in the context is refused before it reaches the database."""
    with pytest.raises(PermissionError), one_connection.open(Home.CONTENT, TESTER):
        pass


def test_anothers_placement_is_refused(one_connection: Units) -> None:
    """A unit of one tenant at the place of another is refused."""
    elsewhere = Placement(new_id(), Isolation.ROW, "shared", None, 1)
    with (
        tenant_scope(new_id()),
        pytest.raises(PermissionError),
        one_connection.open(Home.CONTENT, TESTER, placement=elsewhere),
    ):
        pass


@pytest.mark.parametrize("model", mapped_classes(), ids=lambda model: model.__name__)
def test_nobody_sees_nothing(
    model: type[Any], one_connection: Units, planted: Callable[[], Planted], every_shape: list[Shape]
) -> None:
    """Nobody's transaction sees no row of any table, and can insert none, with or without a tenant named."""
    a = planted()
    table = f"{model.__table__.schema or 'shared'}.{model.__table__.name}"
    shape = next(shape for shape in every_shape if shape.name == table)
    session = one_connection.start(one_connection.engines.control, NOBODY)
    with session:
        assert session.execute(select(model)).first() is None
        assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
        session.rollback()
    for left_out in ((), (shape.tenant,)):
        row = {k: v for k, v in rows.values(shape, a.tenant_id, a.rows).items() if k not in left_out}
        with one_connection.start(one_connection.engines.control, NOBODY) as session:
            driver = session.connection().connection.driver_connection
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.NotNullViolation)):
                rows.insert(driver, table, row)


def test_the_connection_goes_back_without_a_tenant(one_connection: Units, planted: Callable[[], Planted]) -> None:
    """After a commit, a rollback, an error of Python and an error of the database the connection is nobody's."""
    a = planted().tenant_id
    assert after_use(one_connection) == ""
    with unit_of(one_connection, a) as unit:
        assert unit.session.scalar(WHOSE) == str(a)
        unit.commit()
    assert after_use(one_connection) == ""
    with unit_of(one_connection, a) as unit:
        unit.session.scalar(WHOSE)
    assert after_use(one_connection) == ""
    with suppress(ZeroDivisionError), unit_of(one_connection, a) as unit:
        unit.session.scalar(WHOSE)
        _ = 1 / 0
    assert after_use(one_connection) == ""
    with suppress(DBAPIError), unit_of(one_connection, a) as unit:
        unit.session.execute(text("SELECT 1 / 0"))
    assert after_use(one_connection) == ""


def test_savepoints_keep_the_tenant(one_connection: Units, planted: Callable[[], Planted]) -> None:
    """A savepoint that is released or rolled back leaves the tenant as it was, and what follows is scoped."""
    a, b = planted(), planted()
    with unit_of(one_connection, a.tenant_id) as unit:
        with suppress(IntegrityError), unit.session.begin_nested():
            unit.session.execute(
                text("INSERT INTO engagements (id, name, status, created_at) VALUES (NULL, 'x', 'x', now())")
            )
        assert unit.session.scalar(WHOSE) == str(a.tenant_id)
        with unit.session.begin_nested():
            unit.session.add(Engagement(name="within", status="open", created_at=unit.now()))
        found = set(unit.session.scalars(select(Engagement.tenant_id)))
        assert found == {a.tenant_id}
        unit.commit()
    with unit_of(one_connection, b.tenant_id) as unit:
        assert "within" not in set(unit.session.scalars(select(Engagement.name)))


def test_threads_interleaved(units_of: UnitsOf, postgres_server: Database, planted: Callable[[], Planted]) -> None:
    """Two tenants' threads, taking turns within their transactions on one pool, see their own rows only."""
    units, tenants = units_of(postgres_server.worker, pool=4), [planted(), planted()]
    turn, wrong = threading.Barrier(2, timeout=30), []

    def work(tenant: Planted) -> None:
        for _ in range(25):
            with unit_of(units, tenant.tenant_id) as unit:
                turn.wait()
                seen = set(unit.session.scalars(select(Scan.tenant_id)))
                turn.wait()
                seen |= set(unit.session.execute(text("SELECT tenant_id FROM scans")).scalars())
                if seen != {tenant.tenant_id}:
                    wrong.append(seen)
                unit.commit()

    threads = [threading.Thread(target=work, args=(tenant,)) for tenant in tenants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_tasks_interleaved(units_of: UnitsOf, postgres_server: Database, planted: Callable[[], Planted]) -> None:
    """Two tenants' asyncio tasks, interleaved on one thread and handing work to others, see their own rows only."""
    units, tenants = units_of(postgres_server.worker, pool=4), [planted(), planted()]

    async def work(tenant: Planted) -> set[UUID]:
        seen: set[UUID] = set()
        with tenant_scope(tenant.tenant_id):
            for _ in range(25):
                with units.open(Home.CONTENT, TESTER) as unit:
                    await asyncio.sleep(0)
                    seen |= set(unit.session.scalars(select(Asset.tenant_id)))
                    await asyncio.sleep(0)
                    seen |= set(await asyncio.to_thread(lambda: list(unit.session.scalars(select(Scan.tenant_id)))))
        return seen

    async def both() -> list[set[UUID]]:
        return list(await asyncio.gather(*(work(tenant) for tenant in tenants)))

    assert asyncio.run(both()) == [{tenant.tenant_id} for tenant in tenants]


def test_a_row_of_another_tenant_is_refused(one_connection: Units, planted: Callable[[], Planted]) -> None:
    """Adding, changing, deleting or merging an object of another tenant is refused before any SQL."""
    a, b = planted(), planted()
    theirs = a.rows["shared.engagements"]
    with unit_of(one_connection, b.tenant_id) as unit:
        unit.session.add(Engagement(tenant_id=a.tenant_id, name="x", status="open", created_at=unit.now()))
        with pytest.raises(PermissionError):
            unit.session.flush()
    for change in ("name", "delete"):
        with unit_of(one_connection, b.tenant_id) as unit:
            row = Engagement(**theirs)
            make_transient_to_detached(row)
            unit.session.add(row)
            if change == "delete":
                unit.session.delete(row)
            else:
                row.name = "mine"
            with pytest.raises(PermissionError):
                unit.session.flush()
    with unit_of(one_connection, b.tenant_id) as unit:
        unit.session.merge(Engagement(**theirs))
        with pytest.raises(PermissionError):
            unit.session.flush()
    with unit_of(one_connection, b.tenant_id, Home.ACCOUNT) as unit:
        unit.session.add(Tenant(**{**a.rows["control.tenants"], "id": new_id(), "slug": "t-mine"}))
        with pytest.raises(PermissionError):
            unit.session.flush()


def test_a_row_cannot_be_given_away(one_connection: Units, planted: Callable[[], Planted]) -> None:
    """One's own row cannot be moved to another tenant, by the ORM or by SQL."""
    a, b = planted(), planted()
    with unit_of(one_connection, b.tenant_id) as unit:
        row = unit.session.scalars(select(Engagement)).first()
        row.tenant_id = a.tenant_id
        with pytest.raises(PermissionError):
            unit.session.flush()
    for table in ("engagements", "assets", "scans", "outbox", "account.outbox"):
        with unit_of(one_connection, b.tenant_id) as unit, pytest.raises(DBAPIError, match="row-level security"):
            unit.session.execute(text(f"UPDATE {table} SET tenant_id = :a"), {"a": a.tenant_id})


def test_one_home_is_written(one_connection: Units, planted: Callable[[], Planted]) -> None:
    """A unit of work that writes content and account is refused, whichever comes first and by whichever way."""
    a = planted()
    member = {"user_id": new_id(), "email": "x", "name": "x", "role": "viewer"}
    with unit_of(one_connection, a.tenant_id) as unit:
        unit.session.add(Engagement(name="x", status="open", created_at=unit.now()))
        unit.session.flush()
        unit.at_home(Home.ACCOUNT).session.add(Membership(created_at=unit.now(), **member))
        with pytest.raises(RuntimeError, match="one home"):
            unit.session.flush()
    with unit_of(one_connection, a.tenant_id, Home.ACCOUNT) as unit:
        unit.session.add(Membership(created_at=unit.now(), **member))
        unit.session.flush()
        with pytest.raises(RuntimeError, match="one home"):
            unit.session.query(Engagement).delete()


def test_after_the_commit_nothing_is_asked(one_connection: Units, planted: Callable[[], Planted]) -> None:
    """A unit that has committed can be asked nothing more, by no way."""
    a = planted()
    with unit_of(one_connection, a.tenant_id) as unit:
        found = unit.session.scalars(select(Engagement)).one()
        unit.commit()
        assert found.name
        for again in (
            lambda: unit.session.scalars(select(Engagement)).all(),
            lambda: unit.session.execute(text("SELECT 1")),
            lambda: unit.session.get(Asset, (a.tenant_id, a.rows["shared.assets"]["id"])),
            lambda: unit.session.connection(),
        ):
            with pytest.raises(InvalidRequestError):
                again()
        with pytest.raises(RuntimeError):
            unit._work._join(Home.ACCOUNT)


def references(every: list[Shape]) -> Iterator[tuple[Shape, str]]:
    """Yield each reference: a table and a column by which it refers to another row than its tenant's."""
    for shape in every:
        for column in shape.references:
            if column != shape.tenant:
                yield shape, column


def test_no_reference_reaches_another_tenant(
    every_shape: list[Shape], planted: Callable[[], Planted], postgres_server: Database
) -> None:
    """A row of one's own that refers to another tenant's real row is refused as one that does not exist."""
    a, b = planted(), planted()
    checked = 0
    with psycopg.connect(postgres_server.app) as connection:
        for shape, column in references(every_shape):
            row = rows.values(shape, b.tenant_id, b.rows)
            row[column] = a.rows[shape.references[column][0]][shape.references[column][1]]
            connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(b.tenant_id)])
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                if shape.name in ("shared.documents", "shared.ownership_proofs"):
                    connection.execute(f"DELETE FROM {shape.name}".encode())
                rows.insert(connection, shape.name, row)
            connection.rollback()
            checked += 1
    assert checked >= 10


def test_keys_tell_nothing_of_other_tenants(
    every_shape: list[Shape], planted: Callable[[], Planted], postgres_server: Database
) -> None:
    """Ids and values that another tenant has are free: an insert of them succeeds as one of unknown values does."""
    a = planted()
    b = rows.Planted(new_id())
    # A proven domain is told to whoever proves it too: it stays with one tenant.
    told = {"slug": rows.BY_NAME["slug"], "secret_hash": None, "domain": None}
    with psycopg.connect(postgres_server.worker) as connection:
        connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(b.tenant_id)])
        for shape in every_shape:
            row = {}
            for column, value in a.rows[shape.name].items():
                if column == shape.tenant:
                    row[column] = b.tenant_id
                elif column in told:
                    row[column] = shape.fresh(column)
                elif column in shape.references:
                    row[column] = b.rows[shape.references[column][0]][shape.references[column][1]]
                else:
                    row[column] = value
            b.rows[shape.name] = row
            rows.insert(connection, shape.name, row)
        connection.commit()
    assert b.rows["shared.scans"]["id"] == a.rows["shared.scans"]["id"]


def test_the_directory_is_closed(postgres_server: Database) -> None:
    """No login reads the directory; the web cannot ask for all tenants' work, nor the worker for a sign-in."""
    for url, refused in (
        (
            postgres_server.app,
            (
                "auth.claim_effects('{x}', 1, interval '1 s', '{}', '{}', '{}', '{}', 0)",
                "auth.list_open_scans(interval '0')",
            ),
        ),
        (postgres_server.worker, ("auth.find_login('x')", "auth.begin_api_key('{}')")),
        (postgres_server.platform, ("auth.find_login('x')", "auth.list_open_scans(interval '0')")),
    ):
        with psycopg.connect(url, autocommit=True) as connection:
            for table in ("users", "sessions", "tenants", "memberships", "api_keys", "effects_due", "open_scans"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"SELECT * FROM auth.{table}".encode())
            for call in refused:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"SELECT * FROM {call}".encode())


def test_the_mirrors_do_not_cross(planted: Callable[[], Planted], postgres_server: Database) -> None:
    """Work of one tenant with the ids of another leaves the other's place in the directory as it was."""
    a, b = planted(), planted()
    effect = a.rows["shared.outbox"]
    with psycopg.connect(postgres_server.superuser) as outside:
        look = "SELECT tenant_id, home, id, kind, due_at FROM auth.effects_due WHERE tenant_id = %s ORDER BY 2, 3"
        outside.execute("UPDATE shared.outbox SET done_at = NULL WHERE tenant_id = %s", [a.tenant_id])
        outside.commit()
        before = outside.execute(look, [a.tenant_id]).fetchall()
        outside.rollback()
        with psycopg.connect(postgres_server.app) as connection:
            connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(b.tenant_id)])
            mine = {**effect, "tenant_id": b.tenant_id, "kind": "mine", "done_at": None, "payload": Jsonb({})}
            rows.insert(connection, "shared.outbox", mine)
            connection.commit()
            connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(b.tenant_id)])
            connection.execute("DELETE FROM shared.outbox WHERE id = %s", [effect["id"]])
            connection.commit()
        assert any(row[2] == effect["id"] for row in before)
        assert outside.execute(look, [a.tenant_id]).fetchall() == before
