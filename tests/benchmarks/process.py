"""How soon a program with a key is answered: `/process` at 2 KB in the service and over HTTP, and 100 findings."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import cycle
from typing import Any

from werkzeug.test import EnvironBuilder

from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home
from app.factory import create_app
from app.scanners.probes import Artefact, Fault
from app.services import admissions, assets, scans
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.benchmarks.installations import Installation, installation, opened_units, web
from tests.peers.programs import issue
from tests.peers.tenants import Made, lift_limits, make_tenant
from tests.scanners.guard.evaluate import HELD_APART, read

Figure = dict[str, Any]
Ask = tuple[str, str, bytes | None]
SIZE = 2_048
WARM, ROUNDS = 50, 400
SECONDS = 8.0
GOAL = 5.0


def figures() -> list[Figure]:
    """Milliseconds and rates on one web process of eight threads, each call authenticated and written down."""
    with installation() as on, _tenant() as made:
        _, secret = issue(made)
        _findings(made, 120)
        bodies = [json.dumps({"user_input": text, "user_id": "customer_123"}).encode() for text in texts()]
        found = _inside(on, secret, bodies)
        with web(on):
            asks = {
                "POST /process, 2 KB": [("POST", "/process", body) for body in bodies],
                "GET 100 findings by key": [("GET", "/api/v1/findings?limit=100", None)],
            }
            alone = _drive(on.port, secret, [("GET", "/health", None)], 1)[0]
            for name, requests in asks.items():
                for clients in (1, 8):
                    found += _over_http(name, _drive(on.port, secret, requests, clients), clients, alone)
    return found


def texts() -> list[str]:
    """Texts of 2,048 characters: the labelled ones joined in turn, half of them with something to find."""
    labelled = [text.text for text in read(HELD_APART)]
    made = []
    for first in range(0, len(labelled), 4):
        following = cycle(labelled[first:] + labelled[:first])
        text = ""
        while len(text) < SIZE:
            text += next(following) + "\n"
        made.append(text[:SIZE])
    return made


@contextmanager
def _tenant() -> Iterator[Made]:
    with opened_units() as units:
        made = make_tenant(units)
        lift_limits(made)
        yield made


def _findings(made: Made, number: int) -> None:
    """Have the tenant a scan with so many findings."""
    faults = [
        Fault(f"rule-{turn % 30}", "No policy", "medium", "no header" * 8, "Send one. " * 8, f"place {turn}", 693)
        for turn in range(number)
    ]
    with made.unit() as unit:
        letter = assets.add_document(unit, name="Letter", text="Dear Anna")
        scan = scans.start_scan(unit, letter.id, tool="text")
        unit.commit()
    url = settings().database_worker_url
    assert url is not None
    units = open_units(settings(), url.get_secret_value())
    with tenant_scope(made.id), units.open(Home.CONTENT, system_actor("worker")) as unit:
        admissions.admit_scans(unit)
        scans.claim_scan(unit, scan.id)
        scans.complete_scan(unit, scan.id, Artefact("text", faults))
        unit.commit()
    units.engines.dispose()


def _inside(on: Installation, secret: str, bodies: list[bytes]) -> list[Figure]:
    """One thread straight into the WSGI application: no server, no socket; the database and the commit are in it.

    Beside the clock, the processor time of that thread, which other processes do not lengthen; Postgres's is not in it.
    """
    app = create_app()
    asked = cycle(bodies)
    elapsed, core = [], []
    for turn in range(WARM + ROUNDS):
        body = next(asked)
        environ = EnvironBuilder(
            path="/process",
            method="POST",
            base_url=on.variables["BASE_URL"],
            headers={"X-API-Key": secret},
            content_type="application/json",
            input_stream=BytesIO(body),
            content_length=len(body),
        ).get_environ()
        begin, begin_core = time.perf_counter(), time.thread_time()
        answered: list[str] = []
        iterable: Any = app.wsgi_app(environ, _starter(answered))
        sent = b"".join(iterable)
        iterable.close()
        took, took_core = (time.perf_counter() - begin) * 1000, (time.thread_time() - begin_core) * 1000
        assert answered == ["200 OK"], (answered, sent)
        if turn >= WARM:
            elapsed.append(took)
            core.append(took_core)
    app.extensions["sentinel"].units.engines.dispose()
    found = []
    for clock, times in (("elapsed", sorted(elapsed)), ("of a core", sorted(core))):
        name = f"POST /process, 2 KB, in the service, {clock}"
        found.append(_figure(f"{name}, p50", _at(times, 0.50), "ms"))
        found.append(_figure(f"{name}, p95", _at(times, 0.95), "ms", goal=GOAL))
    return found


def _starter(answered: list[str]) -> Callable[..., Callable[[bytes], object]]:
    def start_response(status: str, _headers: object, _error: object = None) -> Callable[[bytes], object]:
        answered.append(status)
        return lambda data: None

    return start_response


def _drive(port: int, secret: str, asks: list[Ask], clients: int) -> tuple[list[float], float]:
    """Ask for eight seconds from so many clients, each with one connection: milliseconds, sorted, and the rate."""
    times: list[list[float]] = [[] for _ in range(clients)]
    headers = {"X-API-Key": secret, "Content-Type": "application/json"}
    gate = threading.Barrier(clients + 1)

    def client(mine: list[float], first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        following = cycle(asks[first % len(asks) :] + asks[: first % len(asks)])
        for turn in range(20):
            _ask(connection, headers, *next(following))
            if turn == 19:
                gate.wait()
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            begin = time.perf_counter()
            _ask(connection, headers, *next(following))
            mine.append((time.perf_counter() - begin) * 1000)
        connection.close()

    threads = [threading.Thread(target=client, args=(mine, 7 * number)) for number, mine in enumerate(times)]
    for thread in threads:
        thread.start()
    gate.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    joined = sorted(took for mine in times for took in mine)
    return joined, len(joined) / (time.perf_counter() - begin)


def _ask(
    connection: http.client.HTTPConnection, headers: dict[str, str], method: str, path: str, body: bytes | None
) -> None:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    sent = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {sent[:200]!r}")


def _over_http(name: str, measured: tuple[list[float], float], clients: int, alone: list[float]) -> list[Figure]:
    """Latency and rate; the baseline of the median is `/health` at one client."""
    times, rate = measured
    who = f"{name}, over HTTP, {clients} client{'s' if clients > 1 else ''}"
    baseline = round(_at(alone, 0.50), 2)
    return [
        _figure(f"{who}, p50", _at(times, 0.50), "ms", baseline=baseline),
        _figure(f"{who}, p95", _at(times, 0.95), "ms"),
        _figure(f"{who}, throughput", rate, "requests/s"),
    ]


def _at(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]


def _figure(name: str, value: float, unit: str, *, baseline: float | None = None, goal: float | None = None) -> Figure:
    ratio = None if not baseline else round(value / baseline, 2)
    return {"name": name, "value": round(value, 2), "unit": unit, "baseline": baseline, "ratio": ratio, "goal": goal}
