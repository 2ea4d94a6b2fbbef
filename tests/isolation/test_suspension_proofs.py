"""A suspension in 4 web processes and 2 workers: every entrance is refused within a second of the staff's order."""

import asyncio
import contextlib
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from flask import Flask
from temporalio.client import Client
from werkzeug.test import TestResponse

from app.cli import main
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Units
from app.factory import create_app
from app.local import assets as front
from app.services import assets, lifecycles, scans
from app.tenancy.context import tenant_scope
from tests.peers.bearers import Bearer
from tests.peers.consoles import Console, serving
from tests.peers.entrances import entrances, stays_open, was_refused
from tests.peers.patience import within
from tests.peers.proxies import Proxied
from tests.peers.routes import path_of
from tests.peers.sides import Side, ask, side_of
from tests.peers.staff import OPS, STAFF, hire
from tests.peers.tenants import Made, lift_limits, make_tenant
from tests.peers.workers import WorkerInProcess, working
from tests.plugins.servers import Database, settings_of

pytestmark = [pytest.mark.prove, pytest.mark.temporal, pytest.mark.timeout(600)]
PROCESSES = 4
ROUNDS = 8  # each entrance so often at once, so that every process answers some
WITHIN = 1.0
LEAST_IN = 64


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts and never answers: what scans it runs for seconds."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        taken: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        for each in taken:
            each.close()


@dataclass
class Running:
    """A console of 4 web processes, its 2 workers, and this process's own way to the same rows."""

    console: Console
    app: Flask
    proxied: Proxied
    second: WorkerInProcess
    units: Units
    worker_units: Units
    silent: str
    superuser: str

    def states(self, made: Made) -> dict[UUID, str]:
        """Return how the tenant's scans stand."""
        with psycopg.connect(self.superuser) as connection:
            found = connection.execute("SELECT id, status FROM shared.scans WHERE tenant_id = %s", [made.id])
            return dict(found.fetchall())


@pytest.fixture
def running(
    new_database: Callable[[], Database],
    secret_variables: dict[str, str],
    temporal_address: str,
    silent: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Running]:
    """All processes, on a database of their own."""
    front.build_assets()
    database = new_database()
    variables = {
        **settings_of(database, secret_variables),
        "TEMPORAL_ADDRESS": temporal_address,
        "WEB_CONCURRENCY": str(PROCESSES),
        "RATE_LIMIT_STORAGE_URL": "memory://",
        "OUTBOUND_ALLOWED": silent,
    }
    with (
        tempfile.TemporaryDirectory(prefix="suspension-") as name,
        serving(variables, Path(name)) as console,
        working(console.settings, Path(name) / "second.log") as second,
    ):
        second.wait_for("worker.ready")
        for key, value in console.settings.items():
            monkeypatch.setenv(key, value)
        settings.cache_clear()
        app = create_app()
        units = open_units(settings(), variables["DATABASE_URL"])
        worker_units = open_units(settings(), variables["DATABASE_WORKER_URL"])
        proxied = Proxied(app, urlsplit(console.address).port or 0)
        yield Running(console, app, proxied, second, units, worker_units, silent, database.superuser)
        for each in (units, worker_units, app.extensions["sentinel"].units):
            each.engines.dispose()
    settings.cache_clear()


@dataclass
class Prober:
    """Asks the same few entrances without pause, from many threads, and remembers who came in and when."""

    asks: list[Callable[[], TestResponse]]
    inside: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: Counter[tuple[int, int]] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Ask for as long as the block lasts."""
        with ThreadPoolExecutor(16) as pool:
            running = [pool.submit(self, number) for number in range(16)]
            try:
                yield
            finally:
                self.stop.set()
        for each in running:
            each.result(30)

    def __call__(self, number: int) -> None:
        while not self.stop.is_set():
            began = time.time()
            answer = self.asks[number % len(self.asks)]()
            if answer.status_code not in (200, 403):
                self.other[(number % len(self.asks), answer.status_code)] += 1
            (self.refused if was_refused(answer) else self.inside).append(began)


def start_scans(running: Running, made: Made, number: int) -> list[UUID]:
    """Start scans of the silent server; return them when some run."""
    with made.unit() as unit:
        site = assets.add_web_asset(unit, name=f"Silent {time.time()}", address=f"http://{running.silent}/").id
        ids = [scans.start_scan(unit, site, tool="posture").id for _ in range(number)]
        unit.commit()
    assert within(90, lambda: [running.states(made)[each] for each in ids].count("running") >= 2), running.states(made)
    return ids


async def open_workflows(address: str, made: Made) -> list[str]:
    """Return the tenant's workflows that Temporal calls running."""
    client = await Client.connect(address)
    query = f"ExecutionStatus = 'Running' AND TaskQueue = 'sentinel-{made.id}'"
    return [found.id async for found in client.list_workflows(query)]


def all_stopped(running: Running, made: Made, temporal: str) -> bool:
    """Tell whether no scan of the tenant is left, in Postgres and in Temporal."""
    left = {"queued", "running"} & set(running.states(made).values())
    return not left and not asyncio.run(open_workflows(temporal, made))


def sweep(running: Running, side: Side, bearer: Bearer) -> list[object]:
    """Ask every entrance several times at once; return those that let anybody in."""
    asks: list[tuple[str, Callable[[], TestResponse]]] = []
    for rule, method in entrances(running.app):
        if stays_open(running.app, rule):
            continue
        asks.append((f"{method} {rule.endpoint}", lambda r=rule, m=method: ask(side, r, m, side.made.slug, side.ids)))
        if getattr(running.app.view_functions[rule.endpoint], "keyed", False):
            path = path_of(rule, side.made.slug, side.ids)
            asks.append((f"{method} {rule.endpoint} token", lambda p=path, m=method: bearer.ask(m, p)))
    asks += [("refresh", bearer.renew), ("login", bearer.login)]

    def one(given: tuple[str, Callable[[], TestResponse]]) -> object:
        answer = given[1]()
        return None if was_refused(answer) else (given[0], answer.status_code)

    with ThreadPoolExecutor(16) as pool:
        return [found for found in pool.map(one, asks * ROUNDS) if found is not None]


def test_every_entrance_of_every_process_within_a_second(
    running: Running, temporal_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pages, keys, tokens and SCIM in 4 processes, from a second after the order on; scans stop, nothing is started."""
    made = make_tenant(running.units)
    lift_limits(made)
    side = side_of(running.proxied, running.console.address, made, running.worker_units)  # type: ignore[arg-type]
    bearer = Bearer(running.proxied.test_client(), running.console.address, made)  # type: ignore[arg-type]
    assert bearer.login().status_code == 200
    ids = start_scans(running, made, 4)
    prober = Prober(
        [
            lambda: side.person.get(side.person.at("/findings")),
            lambda: side.program.get("/api/v1/scans"),
            lambda: bearer.get("/api/v1/findings"),
            lambda: side.directory.ask("GET", "/Users"),
        ]
    )
    with prober.asking():
        assert within(120, lambda: len(prober.inside) >= LEAST_IN)
        assert not prober.refused and not prober.other, prober.other
        hire(running.superuser)
        given = ["tenants", "suspend", str(made.id), "--as", OPS, "--reason", "Unpaid", "--no-wait"]
        result = CliRunner().invoke(main, given)
        ordered = time.time()
        assert result.exit_code == 0, result.output
        time.sleep(2.0)
    late = max(prober.inside) - ordered
    with capsys.disabled():
        print(f"\n{len(prober.inside)} in, {len(prober.refused)} refused; the last one in {late * 1000:+.0f} ms")
    assert late < WITHIN and prober.refused
    assert sweep(running, side, bearer) == []
    assert within(90, lambda: all_stopped(running, made, temporal_address)), running.states(made)
    assert {running.states(made)[each] for each in ids} == {"cancelled"}
    with made.unit() as unit:  # as a request that had come in just before
        late_scan = scans.start_scan(unit, side.ids["document_id"], tool="text").id
        unit.commit()
    assert within(60, lambda: running.states(made)[late_scan] == "cancelled")
    with made.unit() as unit:
        assert scans.get_scan(unit, late_scan).started_at is None


def test_a_worker_that_was_dead_cancels_when_it_is_back(
    running: Running, temporal_address: str, tmp_path: Path
) -> None:
    """Both workers are killed with scans at work and the tenant is suspended; whoever starts next ends what is left."""
    made = make_tenant(running.units)
    lift_limits(made)
    ids = start_scans(running, made, 4)
    running.second.kill()
    running.console.worker.kill()
    with tenant_scope(made.id), running.units.open(Home.ACCOUNT, STAFF) as unit:
        lifecycles.suspend_tenant(unit, "Unpaid")
        unit.commit()
    time.sleep(1)
    assert set(running.states(made).values()) & {"running", "queued"}
    with working(running.console.settings, tmp_path / "third.log") as third:
        third.wait_for("worker.ready")
        assert within(60, lambda: all_stopped(running, made, temporal_address)), running.states(made)
    assert {running.states(made)[each] for each in ids} == {"cancelled"}
