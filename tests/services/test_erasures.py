"""Erasure: everything of a deleted tenant goes, nothing of another's, and the certificate says what and proves it."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.cli import main
from app.core.errors import Conflict
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Units
from app.services import erasure_certificates, lifecycles
from app.services.erasers import Eraser
from app.tenancy.actors import Actor, ActorKind
from app.tenancy.context import tenant_scope
from tests.peers import rows
from tests.peers.erasures import (
    DyingEraser,
    MemoryExecutions,
    contents,
    delete,
    die,
    erase,
    kept,
    plant,
    progress,
    release,
    traces,
)
from tests.peers.rows import Shape
from tests.plugins.servers import Database

ALLOWED = {"auth.erasures", "auth.held_slugs", "auth.staff_events", "auth.staff_orders"}


@pytest.fixture(scope="module")
def shapes(postgres_server: Database) -> list[Shape]:
    """Every tenant table."""
    return rows.shapes(postgres_server.superuser)


@pytest.fixture
def units_there(environment: object, fresh_database: Database) -> Iterator[Units]:
    """The worker's units of work on a database that nobody else has."""
    opened = open_units(settings(), fresh_database.worker)
    yield opened
    opened.engines.dispose()


@pytest.fixture
def eraser(units_there: Units) -> DyingEraser:
    """A worker's eraser, without a graph, which has three executions to remove; it dies where a test says so."""
    master_key = settings().master
    return DyingEraser(units_there, master_key, None, MemoryExecutions(1, 2))


def test_nothing_is_left_but_the_certificate(fresh_database: Database, shapes: list[Shape], eraser: Eraser) -> None:
    """A row in every table, then: no table names the tenant any more; of its neighbour every row is as it was."""
    tenant, neighbour = plant(fresh_database, shapes), plant(fresh_database, shapes)
    marks = str(tenant.tenant_id), tenant.tenant_id.hex, tenant.rows["control.tenants"]["slug"]
    before = traces(fresh_database, *marks)
    assert {shape.name for shape in shapes} <= set(before)
    delete(fresh_database, tenant.tenant_id)
    everything = contents(fresh_database)
    erase(fresh_database, eraser)
    left = traces(fresh_database, *marks)
    assert set(left) <= ALLOWED, left
    assert left["auth.held_slugs"] == 1
    for table, found in contents(fresh_database).items():
        if table not in ALLOWED | {"auth.audit_key"}:
            assert found <= everything[table], table  # nothing was added or changed
            assert sum(found.values()) == sum(everything[table].values()) - before.get(table, 0), table
    assert len(traces(fresh_database, str(neighbour.tenant_id))) >= len(before)
    file, key = kept(fresh_database, tenant.tenant_id)
    body, faults = erasure_certificates.verify(file, key)
    assert faults == []
    removed = {**dict.fromkeys((shape.name for shape in shapes), 1), "account.audit_events": 2}  # with the beginning's
    assert body["removed"]["rows"] == removed
    assert body["removed"]["executions"] == {"open": 1, "closed": 2}
    assert erasure_certificates.total(body["left"]) == 0
    assert body["left"].keys() == {"rows", "directory", "executions"}


def refused(url: str, statement: str, *values: object) -> str:
    """Return what the database says to a statement that it refuses."""
    with psycopg.connect(url) as connection, pytest.raises(psycopg.Error) as refusal:
        connection.execute(statement.encode(), values)
    return str(refusal.value)


def test_the_database_refuses_what_is_not_deleted(fresh_database: Database, shapes: list[Shape]) -> None:
    """No login begins to erase a tenant that is open or can be restored, nor removes a row where nothing was begun."""
    begin = "SELECT auth.begin_erasure(%s, %s)"
    tenant = plant(fresh_database, shapes).tenant_id
    assert "only a deleted tenant" in refused(fresh_database.worker, begin, tenant, None)
    delete(fresh_database, tenant, days=30)
    assert "can still be restored" in refused(fresh_database.worker, begin, tenant, None)
    assert "nobody ordered" in refused(fresh_database.worker, begin, tenant, tenant)
    for login in (fresh_database.app, fresh_database.platform):
        assert "permission denied" in refused(login, begin, tenant, None)
    erase = "SELECT eraser.erase_rows(%s, 'shared.audit_events', 10)"
    assert "permission denied" in refused(fresh_database.app, erase, tenant)
    assert "no erasure" in refused(fresh_database.worker, erase, tenant)
    assert "no erasure" in refused(fresh_database.worker, "SELECT eraser.rows_left(%s)", tenant)
    erase = "SELECT auth.erase_directory(%s, 'memberships', 'tenant_id', 10)"
    assert "no erasure" in refused(fresh_database.worker, erase, tenant)
    finish = "SELECT auth.finish_erasure(%s, '{}', '')"
    assert "not erased yet" in refused(fresh_database.worker, finish, tenant)
    with psycopg.connect(fresh_database.superuser) as connection:  # the role itself, which nobody is, sees nothing
        connection.execute("SET ROLE sentinel_eraser")
        connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(tenant)])
        assert connection.execute("DELETE FROM shared.audit_events").rowcount == 0


def test_an_erasure_is_not_undone(
    fresh_database: Database, shapes: list[Shape], eraser: DyingEraser, units_there: Units
) -> None:
    """From its beginning on the tenant takes no row and no change; its certificate is neither changed nor removed."""
    tenant = plant(fresh_database, shapes)
    delete(fresh_database, tenant.tenant_id)
    die(eraser, 2, after=True)
    restore = "UPDATE control.tenants SET status = 'active', purge_at = NULL WHERE id = %s"
    again = rows.values(shapes[0], tenant.tenant_id, tenant.rows)
    with psycopg.connect(fresh_database.worker, autocommit=True) as connection:
        connection.execute("SELECT set_config('app.current_tenant', %s, false)", [str(tenant.tenant_id)])
        for attempt in (
            lambda: connection.execute(restore, [tenant.tenant_id]),
            lambda: rows.insert(connection, shapes[0].name, again),
        ):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is being erased"):
                attempt()
    owner = Actor(ActorKind.STAFF, None, "staff", frozenset())
    with (
        tenant_scope(tenant.tenant_id),
        units_there.open(Home.ACCOUNT, owner) as unit,
        pytest.raises(Conflict, match="cannot be restored"),
    ):
        lifecycles.restore_tenant(unit)
    release(fresh_database)
    erase(fresh_database, eraser)
    for statement in ("UPDATE auth.erasures SET reason = 'x'", "DELETE FROM auth.erasures", "TRUNCATE auth.erasures"):
        assert "neither changed nor removed" in refused(fresh_database.superuser, statement)
    slug = tenant.rows["control.tenants"]["slug"]
    with psycopg.connect(fresh_database.app) as connection:
        assert connection.execute("SELECT auth.slug_taken(%s)", [slug]).fetchone() == (True,)


def test_work_that_began_earlier_is_waited_for(
    fresh_database: Database, shapes: list[Shape], eraser: DyingEraser
) -> None:
    """A transaction that wrote before the beginning may end after it: nothing is removed before, and it goes too."""
    tenant = plant(fresh_database, shapes)
    late = rows.values(shapes[0], tenant.tenant_id, tenant.rows)
    delete(fresh_database, tenant.tenant_id)
    with psycopg.connect(fresh_database.worker) as slow:
        slow.execute("SELECT set_config('app.current_tenant', %s, true)", [str(tenant.tenant_id)])
        rows.insert(slow, shapes[0].name, late)
        eraser.run_once()
        assert progress(fresh_database) == ("settle", "Work that began earlier is not over yet.")
        slow.commit()
    release(fresh_database)
    erase(fresh_database, eraser)
    body, _faults = erasure_certificates.verify(*kept(fresh_database, tenant.tenant_id))
    assert body["removed"]["rows"][shapes[0].name] == (3 if shapes[0].name == "account.audit_events" else 2)
    assert set(traces(fresh_database, str(tenant.tenant_id))) <= ALLOWED


@pytest.mark.parametrize("stride", [17, pytest.param(1, marks=pytest.mark.prove)])
def test_killed_between_any_two_steps(
    fresh_database: Database, shapes: list[Shape], eraser: DyingEraser, stride: int
) -> None:
    """Killed before and after a commit, again and again, an erasure ends as it would have: none twice, none left."""
    tenant = plant(fresh_database, shapes)
    known = traces(fresh_database, str(tenant.tenant_id))
    delete(fresh_database, tenant.tenant_id)
    for commits in range(1, 400, stride):
        for after in (False, True):
            die(eraser, commits, after=after)
            release(fresh_database)
    erase(fresh_database, eraser)
    body, faults = erasure_certificates.verify(*kept(fresh_database, tenant.tenant_id))
    assert faults == []
    removed = {name: number for name, number in body["removed"]["rows"].items() if name in known}
    assert removed == {shape.name: 1 for shape in shapes} | {"account.audit_events": 2}
    assert body["removed"]["executions"] == {"open": 1, "closed": 2}
    assert len(body["data_keys_destroyed"]) == 1
    assert set(traces(fresh_database, str(tenant.tenant_id))) <= ALLOWED


def test_what_is_away_is_asked_again(fresh_database: Database, shapes: list[Shape], units_there: Units) -> None:
    """While Temporal is away the erasure waits, says so and signs nothing; what is found late begins another round."""
    tenant = plant(fresh_database, shapes)
    delete(fresh_database, tenant.tenant_id)
    executions = MemoryExecutions(1, 0)
    executions.away = 2
    eraser = Eraser(units_there, settings().master, None, executions)
    for problem in ("Temporal is away.", "Temporal is away."):
        eraser.run_once()
        release(fresh_database)
        assert progress(fresh_database) == ("executions", problem)
    executions.late = 1
    erase(fresh_database, eraser)
    body, _faults = erasure_certificates.verify(*kept(fresh_database, tenant.tenant_id))
    assert body["rounds"] == 2
    assert body["removed"]["executions"] == {"open": 2, "closed": 0}


def test_a_certificate_is_checked_offline(
    fresh_database: Database, shapes: list[Shape], eraser: DyingEraser, tmp_path: Path
) -> None:
    """By command, with the public key alone: whole, changed, by another key, and no certificate at all."""
    tenant = plant(fresh_database, shapes)
    delete(fresh_database, tenant.tenant_id)
    erase(fresh_database, eraser)
    file, key = kept(fresh_database, tenant.tenant_id)

    def checked(text: bytes, by: Ed25519PublicKey = key) -> int:
        (tmp_path / "file").write_bytes(text)
        (tmp_path / "key").write_bytes(by.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        told = ["tenants", "verify-certificate", str(tmp_path / "file"), "--key", str(tmp_path / "key")]
        return CliRunner().invoke(main, told).exit_code

    assert checked(file) == 0
    assert checked(file.replace(b'"rounds":1', b'"rounds":2')) == 1
    assert checked(file, Ed25519PrivateKey.generate().public_key()) == 1
    assert checked(b"{}") == 2
    member = tenant.rows["account.memberships"]
    for person in (member["email"], member["name"], str(member["user_id"])):
        assert person.encode() not in file
