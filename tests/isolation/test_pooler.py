"""The same scopes through a transaction pooler, where each transaction may run on another server connection."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select, text, update

from app.core.crypto import CachedKeyRing
from app.db.engines import Engines, make_engine
from app.db.units import Home, Units
from app.models.scans import Engagement, Scan
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.isolation import test_matrix as matrix
from tests.peers.pgbouncer import SERVER_CONNECTIONS, bouncer, program, through
from tests.peers.rows import Planted, Shape, state
from tests.plugins.absences import absent
from tests.plugins.servers import Database

TESTER = system_actor("pooler")
CLIENTS, TRANSACTIONS = 6, 200


@pytest.fixture(scope="module")
def address(postgres_server: Database, run_directory: Path) -> Iterator[str]:
    """The web's URL through PgBouncer."""
    if program() is None:
        absent("PgBouncer", "apt-get install pgbouncer")
    passwords = postgres_server.server.passwords
    with bouncer(postgres_server.server, passwords, run_directory / "pgbouncer") as found:
        yield through(found, "sentinel_app", passwords["sentinel_app"], postgres_server.name)


@pytest.fixture
def units(address: str) -> Iterator[Units]:
    """Units of work through the pooler."""
    engines = Engines(make_engine(address, pool_size=CLIENTS, pooled=True))
    yield Units(engines, CachedKeyRing(bytes(32), lambda _tenant: None))
    engines.dispose()


def policies_only(units: Units) -> Units:
    """Return the same without the ORM's layer: what holds then is the transaction's setting alone."""
    return Units(units.engines, units.keys, criterion=False)


def test_no_client_sees_anothers_rows(units: Units, planted: Callable[[], Planted]) -> None:
    """Six clients with 200 transactions each, of four tenants, over three server connections: no wrong row."""
    tenants, bare = [planted() for _ in range(4)], policies_only(units)
    wrong: list[str] = []
    served: Counter[int] = Counter()
    lock = threading.Lock()

    def client(number: int) -> None:
        choose = random.Random(number)
        for _ in range(TRANSACTIONS):
            tenant, keep = choose.choice(tenants), choose.random() < 0.5
            given = choose.choice((units, bare))
            try:
                with tenant_scope(tenant.tenant_id), given.open(Home.CONTENT, TESTER) as unit:
                    seen = set(unit.session.scalars(select(Scan.tenant_id)))
                    seen |= set(unit.session.execute(text("SELECT tenant_id FROM findings")).scalars())
                    changed = unit.session.execute(
                        update(Engagement).values(status="seen").execution_options(synchronize_session=False)
                    ).rowcount
                    server = unit.session.scalar(select(func.pg_backend_pid()))
                    if keep:
                        unit.commit()
                with lock:
                    served[server] += 1
                    if seen != {tenant.tenant_id} or changed != 1:
                        wrong.append(f"{tenant.tenant_id}: {seen}, {changed}")
            except Exception as error:
                with lock:
                    wrong.append(repr(error))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sum(served.values()) == CLIENTS * TRANSACTIONS
    assert 1 < len(served) <= SERVER_CONNECTIONS


@pytest.mark.parametrize("table", sorted(matrix.MODELS))
@pytest.mark.parametrize("criterion", [True, False])
def test_cell(
    table: str,
    criterion: bool,
    units: Units,
    every_shape: list[Shape],
    planted: Callable[[], Planted],
    outside: psycopg.Connection[Any],
) -> None:
    """Through the pooler too, tenant B reaches no row of tenant A by any way, with both layers and policies only."""
    given = units if criterion else policies_only(units)
    shape = next(shape for shape in every_shape if shape.name == table)
    a, b = planted(), planted()
    cell = matrix.Cell(shape, matrix.MODELS[table], a.rows[table], a, b)
    before = state(outside, shape, a.tenant_id)
    reached = [way.__name__ for way in matrix.WAYS.values() if matrix.reached(given, cell, way)]
    assert reached == []
    assert state(outside, shape, a.tenant_id) == before


def test_a_session_level_setting_would_leak(address: str, planted: Callable[[], Planted]) -> None:
    """The proof can fail: a tenant set for the session, not the transaction, stays for whoever is served next."""
    a = planted().tenant_id
    with psycopg.connect(address, autocommit=True, prepare_threshold=None) as first:
        first.execute("SELECT set_config('app.current_tenant', %s, false)", [str(a)])
    seen = set()
    for _ in range(20):
        with psycopg.connect(address, autocommit=True, prepare_threshold=None) as other:
            seen |= {row[0] for row in other.execute("SELECT tenant_id FROM shared.scans").fetchall()}
            other.execute("RESET ALL")
    assert a in seen


def test_the_settings_say_that_a_pooler_is_there(
    environment: dict[str, str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With DATABASE_DIRECT_URL the statements of a process are not prepared on the server; without it they are."""
    from app.core.settings import Settings
    from app.db.opening import open_units

    prepared = []
    for direct in (None, environment["DATABASE_URL"]):
        if direct is not None:
            monkeypatch.setenv("DATABASE_DIRECT_URL", direct)
        opened = open_units(Settings(), address)  # type: ignore[call-arg]
        connection = opened.engines.control.raw_connection()
        prepared.append(connection.driver_connection.prepare_threshold)
        connection.close()
        opened.engines.dispose()
    assert prepared == [5, None]
