"""API keys over JSON: listed, shown, revoked; issued by a person alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.db.units import Home, Units
from app.services import api_keys, audit
from tests.api.test_routing import assert_problem
from tests.peers.bearers import Bearer, confirm_address
from tests.peers.programs import Program, issue, make_account
from tests.peers.tenants import Made
from tests.plugins.servers import Database
from tests.services.test_plans import override

KEYS, SCANS = "/api/v1/api-keys", "/api/v1/scans"
READ = "tenant:scans:read"


@pytest.fixture
def owner(client: FlaskClient, base_url: str, tenants: Callable[[], Made], postgres_server: Database) -> Bearer:
    """A program that acts as a tenant's owner, by access token."""
    bearer = Bearer(client, base_url, tenants())
    confirm_address(postgres_server, bearer.made.email)
    assert bearer.login().status_code == 200
    return bearer


def test_keys_are_listed_and_shown_without_secrets(app: Flask, program: Callable[..., Program]) -> None:
    """A list has each key with its beginning, state and last use; neither list nor key holds a secret or a hash."""
    caller = program()
    caller.get(SCANS)
    app.extensions["sentinel"].key_uses.flush()
    answer = caller.get(KEYS)
    assert answer.status_code == 200
    (key,) = (answer.json or {})["items"]
    assert key["id"] == str(caller.key_id) and key["hint"] == caller.secret[:13] and key["state"] == "active"
    assert key["last_address"] == "127.0.0.1" and key["last_used_at"] is not None
    assert caller.secret not in answer.text and "hash" not in answer.text
    one = caller.get(f"{KEYS}/{caller.key_id}")
    assert one.json == key
    assert caller.get(f"{KEYS}/{caller.key_id}", headers={"X-API-Key": caller.secret}).headers["ETag"]


def test_a_list_of_keys_goes_on_by_its_cursor(program: Callable[..., Program]) -> None:
    """Two pages of one key each, newest first, and then no more."""
    caller = program()
    second, _ = issue(caller.tenant, READ)
    first = caller.get(f"{KEYS}?limit=1").json or {}
    rest = caller.get(f"{KEYS}?limit=1&cursor={first['next_cursor']}").json or {}
    assert [first["items"][0]["id"], rest["items"][0]["id"]] == [str(second), str(caller.key_id)]
    assert rest["next_cursor"] is None


def test_a_key_beyond_the_plan_reads_alone(program: Callable[..., Program], worker_units: Units) -> None:
    """What changes something is a problem that names the quota; the key tells that it is beyond the plan."""
    caller = program()
    override(caller.tenant, worker_units, "quota", "api_keys", 0)
    refused = caller.ask("POST", "/api/v1/assets", json={"name": "Letter", "text": "Dear"})
    assert_problem(refused, 403, "beyond-plan")
    assert (refused.json or {})["quota"] == "api_keys" and caller.get(SCANS).status_code == 200
    assert (caller.get(f"{KEYS}/{caller.key_id}").json or {})["beyond_plan"] is True
    override(caller.tenant, worker_units, "quota", "api_keys", 1)
    assert caller.ask("POST", "/api/v1/assets", json={"name": "Letter", "text": "Dear"}).status_code == 201


def test_a_key_is_revoked_over_json(program: Callable[..., Program]) -> None:
    """DELETE ends the key from the next request on, and says so; a second time it is the same."""
    caller = program()
    other_id, secret = issue(caller.tenant, READ)
    assert caller.get(SCANS, headers={"X-API-Key": secret}).status_code == 200
    for _ in range(2):
        answer = caller.ask("DELETE", f"{KEYS}/{other_id}")
        assert answer.status_code == 200 and (answer.json or {})["state"] == "revoked"
    assert caller.get(SCANS, headers={"X-API-Key": secret}).status_code == 401


def test_keys_cannot_make_keys(program: Callable[..., Program]) -> None:
    """A key with every scope is refused, and nothing is issued."""
    caller = program()
    answer = caller.post(KEYS, json={"name": "child", "scopes": [READ]})
    assert "cannot make keys" in assert_problem(answer, 403, "permission-denied")["detail"]
    assert len((caller.get(KEYS).json or {})["items"]) == 1


def test_a_key_that_may_not_read_keys_sees_none(program: Callable[..., Program]) -> None:
    """Without its scope a program lists and revokes nothing."""
    caller = program(READ)
    assert_problem(caller.get(KEYS), 403, "permission-denied")
    assert_problem(caller.ask("DELETE", f"{KEYS}/{caller.key_id}"), 403, "permission-denied")


def test_a_person_issues_a_key_by_token(owner: Bearer) -> None:
    """The answer holds the secret this once, is not stored by anybody on its way, and the key works at once."""
    account_id = make_account(owner.made, READ)
    last_day = (datetime.now(UTC) + timedelta(days=5)).date().isoformat()
    body = {
        "name": "Test Key",
        "tenant_id": str(owner.made.id),
        "scopes": ["scans:read"],
        "last_day": last_day,
        "networks": ["127.0.0.0/8"],
        "calls_per_minute": 30,
        "service_account_id": str(account_id),
    }
    answer = owner.post(KEYS, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json or {}
    assert made["scopes"] == [READ] and made["networks"] == ["127.0.0.0/8"] and made["calls_per_minute"] == 30
    assert made["service_account_id"] == str(account_id) and made["hint"] == made["secret"][:13]
    assert answer.headers["Location"] == f"{KEYS}/{made['id']}"
    used = owner.get(SCANS, headers={"X-API-Key": made["secret"]})
    assert used.status_code == 200
    with owner.made.unit() as unit:
        assert "api_key.issue" in [event.action for event in audit.list_events(unit).rows]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"scopes": ["spaces:read"]}, "scopes"),
        ({"networks": ["office"]}, "networks"),
        ({"last_day": "2020-01-01"}, "last_day"),
        ({"calls_per_minute": 0}, "calls_per_minute"),
        ({"tenant_id": "01a1fddd-ecaa-7000-8000-000000000000"}, "tenant_id"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_a_key_that_will_not_do_is_422(owner: Bearer, given: dict[str, object], field: str) -> None:
    """The problem names the field, and another tenant's id is refused like any other wrong one."""
    answer = owner.post(KEYS, json={"name": "x", "scopes": [READ], **given})
    problem = assert_problem(answer, 422, "invalid")
    assert any(each["field"].startswith(field) for each in problem["errors"])


def test_refused_calls_of_a_key_leave_rows(program: Callable[..., Program]) -> None:
    """A call that is refused for its network, for the key's end or its revocation is among the tenant's calls."""
    caller = program(networks=["203.0.113.0/24"])
    assert caller.get(SCANS).status_code == 403
    expired_id, expired = issue(caller.tenant, READ, lifetime=timedelta(microseconds=1))
    revoked_id, revoked = issue(caller.tenant, READ)
    with caller.tenant.unit() as unit:
        api_keys.revoke_key(unit.at_home(Home.ACCOUNT), revoked_id)
        unit.commit()
    assert [caller.get(SCANS, headers={"X-API-Key": each}).status_code for each in (expired, revoked)] == [401, 401]
    assert [status for _method, _endpoint, status, _verdict in caller.calls()] == [403, 401, 401]
    assert expired_id != revoked_id
