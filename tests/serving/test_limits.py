"""Rate limits: per tenant, key, action and address; what is told of them; what happens while the store is away."""

import re
import secrets
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.permissions import Permission
from app.core.settings import settings
from app.db.units import Units
from app.factory import create_app
from app.local.ports import free_port
from app.local.valkey import ValkeyServer
from app.services import assets
from app.serving import limits
from tests.peers.programs import Program, issue
from tests.peers.tenants import Made
from tests.services.test_plans import override

STORES = ("memory", "valkey")


@pytest.fixture
def application(
    environment: dict[str, str], postgres_server: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Flask]]:
    """Makes applications with further settings."""
    made: list[Flask] = []

    def make(**given: str) -> Flask:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        made.append(create_app())
        return made[-1]

    yield make
    for app in made:
        app.extensions["sentinel"].units.engines.dispose()


@pytest.fixture(params=STORES)
def counted(request: pytest.FixtureRequest, application: Callable[..., Flask]) -> Flask:
    """The application, counting in its own memory or in Valkey."""
    if request.param == "memory":
        return application()
    return application(RATE_LIMIT_STORAGE_URL=request.getfixturevalue("valkey_server").url)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """No plan is remembered from another test."""
    limits._remembered.clear()


def program(app: Flask, made: Made) -> Program:
    return Program(app.test_client(), settings().base_url.replace("http://", "https://"), made, *issue(made))


def fields(text: str) -> dict[str, dict[str, int]]:
    """Return a field of the draft: by policy, the parameters' numbers."""
    return {
        name: {key: int(value) for key, value in re.findall(r";(\w+)=(\d+)", rest)}
        for name, rest in re.findall(r'"([^"]+)"([^,]*)', text)
    }


def test_a_tenant_has_its_plans_calls_a_minute(
    counted: Flask, tenants: Callable[[], Made], worker_units: Units
) -> None:
    """Exactly as many calls pass, over all keys; the next is refused with the draft's problem; other tenants' pass."""
    one, two = tenants(), tenants()
    override(one, worker_units, "rate", "api_requests", 5)
    first, second, other = program(counted, one), program(counted, one), program(counted, two)
    answers = [(first, second)[turn % 2].get("/api/v1/scans") for turn in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    assert [fields(answer.headers["RateLimit"])["tenant"]["r"] for answer in answers] == [4, 3, 2, 1, 0, 0, 0, 0]
    assert fields(answers[0].headers["RateLimit-Policy"]) == {"tenant": {"q": 5, "w": 60}}
    refused = answers[-1]
    again = int(refused.headers["Retry-After"])
    assert 1 <= again <= 60 and fields(refused.headers["RateLimit"])["tenant"]["t"] == again
    told = refused.json
    assert refused.mimetype == "application/problem+json" and told is not None
    assert told["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert told["violated-policies"] == ["tenant"] and told["status"] == 429
    assert not any(name.startswith("X-RateLimit") for name in dict(refused.headers))
    assert other.get("/api/v1/scans").status_code == 200


def test_a_refused_call_is_no_row(counted: Flask, tenant: Made, worker_units: Units) -> None:
    """A call over the limit costs no write."""
    override(tenant, worker_units, "rate", "api_requests", 2)
    caller = program(counted, tenant)
    for _ in range(5):
        caller.get("/api/v1/scans")
    assert len(caller.calls()) == 2


def test_a_key_over_its_own_limit_takes_nothing_from_its_tenants(
    counted: Flask, tenant: Made, worker_units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key's own limit is asked first."""
    override(tenant, worker_units, "rate", "api_requests", 10)
    tight, free = program(counted, tenant), program(counted, tenant)
    own = {tight.key_id: 2}
    monkeypatch.setattr(limits, "_own_limit", lambda: own.get(getattr(limits.g.get("key_holder"), "key_id", None)))
    answers = [tight.get("/api/v1/scans") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429, 429, 429]
    assert answers[-1].json is not None and answers[-1].json["violated-policies"] == ["key"]
    assert set(fields(answers[0].headers["RateLimit"])) == {"key", "tenant"}
    assert [free.get("/api/v1/scans").status_code for _ in range(9)] == [200] * 8 + [429]


def test_scan_starts_have_a_limit_of_their_own(counted: Flask, tenant: Made, worker_units: Units) -> None:
    """An action is counted beside the call, and its refusal names it."""
    override(tenant, worker_units, "rate", "scan_starts", 1)
    caller = program(counted, tenant)
    body = {"asset_id": str(tenant.id), "tool": "text"}
    first, second = caller.post("/api/v1/scans", json=body), caller.post("/api/v1/scans", json=body)
    assert (first.status_code, second.status_code) == (404, 429)
    assert second.json is not None and second.json["violated-policies"] == ["scan_starts"]
    assert set(fields(second.headers["RateLimit"])) == {"tenant", "scan_starts"}
    assert caller.get("/api/v1/scans").status_code == 200


def test_what_starts_no_scan_is_counted_as_a_call_alone(counted: Flask, tenant: Made, worker_units: Units) -> None:
    """A start that is malformed, not permitted or a repetition takes nothing from the starts of the minute."""
    override(tenant, worker_units, "rate", "scan_starts", 2)
    override(tenant, worker_units, "rate", "api_requests", 7)
    reader = Program(
        counted.test_client(),
        settings().base_url.replace("http://", "https://"),
        tenant,
        *issue(tenant, Permission.SCANS_READ),
    )
    caller = program(counted, tenant)
    with tenant.unit() as unit:
        letter = assets.add_document(unit, name="Letter", text="hello")
        unit.commit()
    body, once = {"asset_id": str(letter.id), "tool": "text"}, {"X-API-Key": caller.secret, "Idempotency-Key": "once"}
    answers = [
        caller.post("/api/v1/scans", json={"tool": "text"}),
        reader.post("/api/v1/scans", json=body),
        caller.post("/api/v1/scans", json=body, headers=once),
        caller.post("/api/v1/scans", json=body, headers=once),
        caller.post("/api/v1/scans", json=body),
        caller.post("/api/v1/scans", json=body),
        caller.post("/api/v1/scans", json={"tool": "text"}),
        caller.post("/api/v1/scans", json={"tool": "text"}),
    ]
    assert [answer.status_code for answer in answers] == [422, 403, 202, 202, 202, 429, 422, 429]
    refused = [answer.json["violated-policies"] for answer in answers if answer.status_code == 429 and answer.json]
    assert refused == [["scan_starts"], ["tenant"]]


def test_a_new_limit_holds_within_a_second(
    application: Callable[..., Flask], tenant: Made, worker_units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process remembers of a plan is at most a second old."""
    override(tenant, worker_units, "rate", "api_requests", 1)
    caller = program(application(), tenant)
    assert [caller.get("/api/v1/scans").status_code for _ in range(2)] == [200, 429]
    override(tenant, worker_units, "rate", "api_requests", 3)
    monkeypatch.setattr(limits.time, "monotonic", lambda: 1e12)
    assert caller.get("/api/v1/scans").status_code == 200


@pytest.mark.parametrize(("path", "name"), [("/login", "SIGN_IN"), ("/reset", "RESET"), ("/signup", "SIGN_UP")])
def test_forms_before_sign_in_are_limited_for_each_address(
    path: str, name: str, application: Callable[..., Flask]
) -> None:
    """Whoever it says it is: after so many from one address there is a page that says when to come back."""
    app = application(**{f"RATE_LIMIT_{name}": "2/minute", "TRUSTED_PROXIES": "127.0.0.0/8"})
    client, base = app.test_client(), settings().base_url.replace("http://", "https://")

    def send(address: str) -> int:
        answer = client.post(path, base_url=base, headers={"X-Forwarded-For": address}, data={"email": "x@example.com"})
        if answer.status_code == 429:
            assert "Too many requests" in answer.text and int(answer.headers["Retry-After"]) <= 60
        return answer.status_code

    statuses = [send("192.0.2.1") for _ in range(3)]
    assert statuses[2] == 429 and 429 not in statuses[:2]
    assert send("192.0.2.2") != 429
    assert client.get(path, base_url=base, headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200


def test_every_addressed_form_exists(application: Callable[..., Flask]) -> None:
    """The table of limited forms names endpoints of the application."""
    assert set(limits.ADDRESSED) <= set(application().view_functions)


DECISIONS = [("memory", [200, 200, 429]), ("allow", [200] * 3), ("refuse", [503] * 3)]


@pytest.mark.parametrize(("decision", "statuses"), DECISIONS)
def test_the_death_of_the_store_is_a_decision(
    decision: str, statuses: list[int], application: Callable[..., Flask], tenant: Made, worker_units: Units, tmp_path
) -> None:
    """While the store is away calls are counted in each process, not limited, or refused, as the settings say."""
    override(tenant, worker_units, "rate", "api_requests", 2)
    server = ValkeyServer(free_port(), secrets.token_urlsafe(8), tmp_path / "valkey")
    server.spawn(tmp_path / "valkey.log")
    try:
        server.wait()
        app = application(RATE_LIMIT_STORAGE_URL=server.url, RATE_LIMIT_ON_STORE_FAILURE=decision)
        caller = program(app, tenant)
        assert caller.get("/api/v1/scans").status_code == 200
    finally:
        server.kill()
    answers = [caller.get("/api/v1/scans") for _ in range(3)]
    assert [answer.status_code for answer in answers] == statuses
    if decision == "refuse":
        told = answers[0].json
        assert told is not None and told["type"].endswith("#temporary-reduced-capacity")
        assert answers[0].headers["Retry-After"] == "5"
    if decision == "memory":
        server.spawn(tmp_path / "valkey.log")
        try:
            server.wait()
            app.extensions["sentinel_limits"].limiter._Limiter__last_check_backend = 0.0
            assert caller.get("/api/v1/scans").status_code == 200
        finally:
            server.kill()


def test_pages_are_not_counted(counted: Flask, client: FlaskClient, base_url: str) -> None:
    """Reading a public page tells of no limit."""
    answer = counted.test_client().get("/login", base_url=base_url)
    assert answer.status_code == 200 and "RateLimit" not in answer.headers


def test_refusals_are_counted_without_naming_tenants(counted: Flask, tenant: Made, worker_units: Units) -> None:
    """The metric knows the policy and nobody's name."""
    override(tenant, worker_units, "rate", "api_requests", 1)
    caller = program(counted, tenant)
    caller.get("/api/v1/scans"), caller.get("/api/v1/scans")
    text = counted.test_client().get("/metrics", base_url=caller.address).text
    assert 'sentinel_rate_limited_total{policy="tenant"}' in text and str(tenant.id) not in text
    assert Permission.SCANS_READ not in text
