"""Who gets in, what every route asks for, one form of errors, and the rows of calls."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.api.documents import operations
from app.core.crypto import new_credential
from app.core.permissions import KEY_SCOPES, Permission
from app.db.units import Home
from app.services import api_keys
from tests.peers.programs import Program, Stock, issue, sample
from tests.peers.tenants import Made
from tests.plugins.servers import Database

SCANS = "/api/v1/scans"
PROCESS = "/api/v1/process"


def assert_problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Demand the one form of errors; return the document."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert answer.json["status"] == status
    assert answer.json["type"].endswith("/" + code)
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert {"title", "detail"} <= answer.json.keys()
    assert "Set-Cookie" not in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers
    return dict(answer.json)


@pytest.mark.parametrize("header", ["X-API-Key", "X-Tenant-Key", "Authorization"])
def test_key_opens_by_each_header(program: Callable[..., Program], header: str) -> None:
    """A key is taken from X-API-Key, X-Tenant-Key or Authorization: Bearer."""
    caller = program()
    value = f"Bearer {caller.secret}" if header == "Authorization" else caller.secret
    assert caller.get(SCANS, headers={header: value}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "  "},
        {"X-API-Key": "sntl_key_wrong"},
        {"X-API-Key": new_credential("key")},
        {"Authorization": "Basic b3duZXI6c2VjcmV0"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {uuid4()}"},
    ],
)
def test_wrong_key_is_401(program: Callable[..., Program], headers: dict[str, str]) -> None:
    """Without a key that was issued nothing is answered, and the scheme is named."""
    answer = program().get(SCANS, headers=headers)
    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_two_credentials_are_400(program: Callable[..., Program]) -> None:
    """Two different keys in one request are refused; the same key twice is one."""
    one, two = program(), program()
    both = {"X-API-Key": one.secret, "Authorization": f"Bearer {two.secret}"}
    assert_problem(one.get(SCANS, headers=both), 400, "malformed-request")
    assert_problem(
        one.get(SCANS, headers={"X-API-Key": one.secret, "X-Tenant-Key": two.secret}), 400, "malformed-request"
    )
    assert one.get(SCANS, headers={"X-API-Key": one.secret, "X-Tenant-Key": one.secret}).status_code == 200


def test_tenant_comes_from_the_key_alone(program: Callable[..., Program], stocked: Callable[[Made], Stock]) -> None:
    """No header or parameter selects a tenant: the key's own scans are listed."""
    mine, theirs = program(), program()
    stocked(theirs.tenant)
    asking = {"X-API-Key": mine.secret, "X-Tenant-Id": str(theirs.tenant.id), "X-Tenant": theirs.tenant.slug}
    assert mine.get(SCANS, headers=asking).json == {"items": [], "next_cursor": None}
    assert len((theirs.get(SCANS).json or {})["items"]) == 1


def test_session_cookie_opens_nothing(program: Callable[..., Program]) -> None:
    """A signed-in browser without a key is nobody here."""
    caller = program()
    caller.client.set_cookie("__Host-sentinel", "anything", domain="localhost", secure=True)
    assert_problem(caller.get(SCANS, headers={}), 401, "unauthenticated")


def test_revoked_key_is_401_from_the_next_request(program: Callable[..., Program]) -> None:
    """Nothing is remembered of a key: its revocation holds at once."""
    caller = program()
    assert caller.get(SCANS).status_code == 200
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        api_keys.revoke_key(unit, caller.key_id)
        unit.commit()
    assert_problem(caller.get(SCANS), 401, "unauthenticated")


def test_expired_key_is_401(program: Callable[..., Program]) -> None:
    """A key past its lifetime opens nothing."""
    assert_problem(program(lifetime=timedelta(microseconds=1)).get(SCANS), 401, "unauthenticated")


def test_expired_and_revoked_keys_say_so(program: Callable[..., Program]) -> None:
    """Whoever holds a key that ended reads which end it was."""
    ended, revoked = program(lifetime=timedelta(microseconds=1)), program()
    with revoked.tenant.unit(Home.ACCOUNT) as unit:
        api_keys.revoke_key(unit, revoked.key_id)
        unit.commit()
    assert "has expired" in assert_problem(ended.get(SCANS), 401, "unauthenticated")["detail"]
    assert "was revoked" in assert_problem(revoked.get(SCANS), 401, "unauthenticated")["detail"]


@pytest.mark.parametrize(
    ("address", "status"), [("203.0.113.9", 200), ("203.0.114.9", 403), ("2001:db8::9", 200), ("2001:db9::9", 403)]
)
def test_a_key_opens_from_its_networks_alone(program: Callable[..., Program], address: str, status: int) -> None:
    """From outside its networks a key is refused with 403, and the refusal names the address; no header moves it."""
    caller = program(networks=["203.0.113.0/24", "2001:db8::/32"])
    sent = {"X-API-Key": caller.secret, "X-Forwarded-For": "203.0.113.9"}
    answer = caller.get(SCANS, headers=sent, environ_overrides={"REMOTE_ADDR": address})
    assert answer.status_code == status
    if status == 403:
        assert address in assert_problem(answer, 403, "permission-denied")["detail"]


def test_other_networks_hold_from_the_next_request(program: Callable[..., Program]) -> None:
    """Nothing is remembered of a key's networks: a change holds at once."""
    caller = program()
    assert caller.get(SCANS).status_code == 200
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        api_keys.change_key(unit, caller.key_id, name="tests", networks=["203.0.113.0/24"], calls_per_minute=None)
        unit.commit()
    assert_problem(caller.get(SCANS), 403, "permission-denied")


def test_key_of_a_removed_maker_is_401(program: Callable[..., Program], postgres_server: Database) -> None:
    """A key whose maker is no longer a member of the tenant opens nothing."""
    caller = program()
    _as_superuser(postgres_server, "DELETE FROM auth.memberships WHERE tenant_id = :t", caller.tenant)
    assert_problem(caller.get(SCANS), 401, "unauthenticated")


def test_key_does_what_its_maker_still_may(program: Callable[..., Program], postgres_server: Database) -> None:
    """A scope that its maker has lost since is lost to the key."""
    caller = program()
    _as_superuser(postgres_server, "UPDATE auth.memberships SET role = 'viewer' WHERE tenant_id = :t", caller.tenant)
    assert caller.get(SCANS).status_code == 200
    assert_problem(caller.post(PROCESS, json={"user_input": "Hello"}), 403, "permission-denied")


def test_suspended_tenant_is_403_with_the_reason(program: Callable[..., Program], postgres_server: Database) -> None:
    """A suspended tenant's key is refused, with the reason."""
    caller = program()
    change = "UPDATE control.tenants SET status = 'suspended', status_reason = 'Unpaid.' WHERE id = :t"
    _as_superuser(postgres_server, change, caller.tenant)
    assert "Unpaid." in assert_problem(caller.get(SCANS), 403, "tenant-closed")["detail"]


def _as_superuser(database: Database, statement: str, made: Made) -> None:
    from sqlalchemy import create_engine

    from app.db.urls import sqlalchemy_url

    engine = create_engine(sqlalchemy_url(database.superuser))
    with engine.begin() as connection:
        assert connection.execute(text(statement), {"t": made.id}).rowcount == 1
    engine.dispose()


def test_every_route_demands_its_permissions(
    app: Flask, program: Callable[..., Program], stocked: Callable[[Made], Stock]
) -> None:
    """A key that has every scope but the route's own is refused, and told which it lacks."""
    caller = program()
    ids = stocked(caller.tenant).ids
    checked = 0
    for method, rule, operation in operations(app):
        for permission in operation.permissions:
            others = [str(scope) for scope in KEY_SCOPES if scope is not permission]
            _, secret = issue(caller.tenant, *others)
            answer = caller.ask(method, filled(rule, ids), headers={"X-API-Key": secret})
            assert assert_problem(answer, 403, "permission-denied")["permission"] == permission, rule
            checked += 1
    assert checked >= 16


def filled(rule: str, ids: dict[str, Any]) -> str:
    """Return the address of `rule` with its ids."""
    for name, value in ids.items():
        rule = rule.replace("{" + name + "}", str(value))
    assert "{" not in rule, "a route with an id that this test does not know"
    return rule


def test_every_id_of_another_tenant_is_404(
    app: Flask, program: Callable[..., Program], stocked: Callable[[Made], Stock]
) -> None:
    """On every route with an id: another tenant's, an unknown and a malformed one are alike; one's own is found."""
    mine, theirs = program(), program()
    own, foreign = stocked(mine.tenant).ids, stocked(theirs.tenant).ids
    unknown = dict.fromkeys(own, uuid4())
    malformed = dict.fromkeys(own, "1%27%20OR%201=1")
    routes = [(method, rule, sample(operation)) for method, rule, operation in operations(app) if "{" in rule]
    assert len(routes) >= 6
    routes.sort(key=lambda route: route[0] == "DELETE")  # what is gone is not found
    for method, rule, body in routes:
        for ids in (foreign, unknown, malformed):
            problem = assert_problem(mine.ask(method, filled(rule, ids), **body), 404, "not-found")
            assert problem["detail"] == "Not found"
        if method != "DELETE" or rule.startswith("/api/v1/"):  # at its other address it is gone by then
            assert mine.ask(method, filled(rule, own), **body).status_code in (200, 202)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ({"data": "{", "content_type": "application/json"}, 400, "malformed-request"),
        ({"data": b"\xff\xfe", "content_type": "application/json"}, 400, "malformed-request"),
        ({"data": '{"user_input": "\\ud800"}', "content_type": "application/json"}, 400, "malformed-request"),
        ({"data": "[" * 100_000, "content_type": "application/json"}, 400, "malformed-request"),
        ({"data": "", "content_type": "application/json"}, 400, "malformed-request"),
        ({"data": "user_input=x", "content_type": "application/x-www-form-urlencoded"}, 415, "unsupported-media-type"),
        ({"data": '{"user_input": "x"}'}, 415, "unsupported-media-type"),
        ({"json": []}, 422, "invalid"),
        ({"json": {}}, 422, "invalid"),
        ({"json": {"user_input": 5}}, 422, "invalid"),
        ({"json": {"user_input": "x", "tenant_id": "y"}}, 422, "invalid"),
        ({"json": {"user_input": "x" * 65_537}}, 413, "payload-too-large"),
        ({"json": {"user_input": "x" * 500_000}}, 413, "payload-too-large"),
        ({"json": {"user_input": "x" * 3_000_000}}, 413, "payload-too-large"),
    ],
)
def test_bodies_that_will_not_do(
    program: Callable[..., Program], arguments: dict[str, Any], status: int, code: str
) -> None:
    """Malformed, unknown, mistyped and oversized bodies each have their status, in one form, and are written down."""
    caller = program()
    problem = assert_problem(caller.post(PROCESS, **arguments), status, code)
    if status == 422:
        assert all(set(entry) == {"field", "detail"} for entry in problem["errors"])
    assert caller.calls() == [("POST", PROCESS, status, None)]


@pytest.mark.parametrize("size", [400_000, 3_000_000])
def test_body_of_unknown_length_is_not_cut_off(program: Callable[..., Program], size: int) -> None:
    """A body that comes in chunks is refused as too large, too, and not read as if it had ended."""
    stream = BytesIO(b'{"user_input": "' + b"x" * size + b'"}')
    answer = program().post(
        PROCESS, input_stream=stream, content_type="application/json", environ_overrides={"wsgi.input_terminated": True}
    )
    assert_problem(answer, 413, "payload-too-large")


def test_fields_are_named(program: Callable[..., Program]) -> None:
    """A 422 names each field that will not do, and repeats none of what was sent."""
    answer = program().post(PROCESS, json={"user_id": "planted-value" * 30, "extra": "planted-value"})
    problem = assert_problem(answer, 422, "invalid")
    assert {entry["field"] for entry in problem["errors"]} == {"user_input", "user_id", "extra"}
    assert "planted-value" not in answer.text


@pytest.mark.parametrize(
    "query",
    ["status=lost", "limit=0", "limit=101", "limit=x", "asset_id=1", "day=today", "unknown=1", "limit=5&limit=6"],
)
def test_queries_that_will_not_do(program: Callable[..., Program], query: str) -> None:
    """Unknown, repeated and ill-typed parameters are named."""
    problem = assert_problem(program().get(f"{SCANS}?{query}"), 422, "invalid")
    assert [entry["field"] for entry in problem["errors"]] == [query.split("=")[0]]


@pytest.mark.parametrize("query", ["cursor=abc", "cursor=%00%ff", "day=2026-02-30", "day=9999-12-31"])
def test_queries_that_cannot_be_read(program: Callable[..., Program], query: str) -> None:
    """A cursor that was never given, and days that do not exist, are 400."""
    assert_problem(program().get(f"{SCANS}?{query}"), 400, "malformed-request")


def test_unknown_addresses_and_methods(program: Callable[..., Program]) -> None:
    """404 and 405 have the same form as all errors."""
    caller = program()
    assert_problem(caller.get("/api/v1/nothing"), 404, "not-found")
    refused = caller.ask("DELETE", SCANS)
    assert_problem(refused, 405, "method-not-allowed")
    assert {"GET", "POST"} <= set(refused.headers["Allow"].split(", "))
    assert_problem(caller.get("/process"), 405, "method-not-allowed")
    assert_problem(caller.ask("OPTIONS", SCANS), 405, "method-not-allowed")


def test_calls_are_written_with_their_status(program: Callable[..., Program]) -> None:
    """Each authenticated call is one row, with the route and not the address; one that opens nothing is none."""
    caller = program(Permission.SCANS_READ, Permission.GUARD_PROCESS)
    caller.get(SCANS)
    caller.post(PROCESS, json={"user_input": "My card is 4532-1234-5678-9010"})
    caller.post("/process", json={"user_input": "Good morning"})
    caller.get(f"{SCANS}/{uuid4()}")
    caller.post(SCANS, json={"asset_id": str(uuid4()), "tool": "text"})
    caller.get(SCANS, headers={"X-API-Key": new_credential("key")})
    assert caller.calls() == [
        ("GET", SCANS, 200, None),
        ("POST", PROCESS, 200, "blocked"),
        ("POST", "/process", 200, "allowed"),
        ("GET", f"{SCANS}/<scan_id>", 404, None),
        ("POST", SCANS, 403, None),
    ]


def test_refused_work_leaves_nothing_but_its_call(
    program: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a view wrote before it failed is rolled back; the row of the failed call stays."""
    from app.services import audit, scans

    caller = program()

    def broken(unit: Any, _scan_id: Any) -> None:
        audit.record(unit, "scan.cancel", "scan", None)
        unit.session.flush()
        raise RuntimeError("broken")

    monkeypatch.setattr(scans, "cancel_scan", broken)
    assert_problem(caller.post(f"{SCANS}/{uuid4()}/cancellation"), 500, "internal")
    assert caller.calls() == [("POST", f"{SCANS}/<scan_id>/cancellation", 500, None)]
    with caller.tenant.unit() as unit:
        assert unit.session.execute(text("SELECT count(*) FROM audit_events")).scalar() == 0
