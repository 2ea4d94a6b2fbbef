"""The tenant, its audit log and its usage, for programs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from app.core.permissions import Permission
from tests.api.test_routing import assert_problem
from tests.peers.programs import Program, Stock, issue, make_workspace
from tests.peers.tenants import Made

CURRENT = "/api/v1/tenants/current"
AUDIT = "/api/v1/audit"


def test_the_tenant_is_shown_and_renamed(program: Callable[..., Program]) -> None:
    """At its address and at that of document 003; If-Match is honoured, and the change is in the audit log."""
    caller = program()
    shown = caller.get(CURRENT)
    assert shown.json is not None and shown.json == caller.get("/orgs/me").json
    assert (shown.json["id"], shown.json["slug"]) == (str(caller.tenant.id), caller.tenant.slug)
    assert shown.json["key"]["workspace_id"] == str(caller.tenant.id)
    headers = {"X-API-Key": caller.secret, "If-Match": shown.headers["ETag"]}
    renamed = caller.ask("PATCH", CURRENT, headers=headers, json={"name": "Harbour Ltd"})
    assert (renamed.status_code, (renamed.json or {})["name"]) == (200, "Harbour Ltd")
    assert renamed.headers["ETag"] == caller.get(CURRENT).headers["ETag"]
    assert_problem(caller.ask("PATCH", CURRENT, headers=headers, json={"name": "x"}), 412, "precondition-failed")
    assert_problem(caller.ask("PATCH", "/orgs/me", json={"name": " "}), 422, "invalid")
    assert (caller.ask("PATCH", "/orgs/me", json={}).json or {})["name"] == "Harbour Ltd"
    events = (caller.get(AUDIT, query_string={"action": "tenant.rename"}).json or {})["items"]
    assert [(each["after"], each["log"]) for each in events] == [({"name": "Harbour Ltd"}, "account")]


def test_the_audit_log_is_listed_page_by_page(
    program: Callable[..., Program], stocked: Callable[[Made], Stock]
) -> None:
    """Pages of both homes join without gap or repetition, newest first; a cursor of other filters is 400."""
    caller = program()
    stocked(caller.tenant)
    whole = (caller.get(AUDIT, query_string={"limit": 100}).json or {})["items"]
    assert {each["log"] for each in whole} == {"account", "content"}
    seen, cursor = [], None
    while True:
        page = caller.get(AUDIT, query_string={"limit": 2, **({"cursor": cursor} if cursor else {})}).json or {}
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        refused = caller.get(AUDIT, query_string={"limit": 2, "cursor": cursor, "action": "x"})
        assert_problem(refused, 400, "malformed-request")
    assert seen == whole
    assert [each["at"] for each in seen] == sorted((each["at"] for each in seen), reverse=True)


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("action", "asset.add", True),
        ("action", "nothing.done", False),
        ("target_kind", "asset", True),
        ("since", (datetime.now(UTC) + timedelta(days=1)).isoformat(), False),
        ("until", (datetime.now(UTC) - timedelta(days=1)).isoformat(), False),
        ("until", (datetime.now(UTC) + timedelta(days=1)).isoformat(), True),
    ],
    ids=["what", "another", "kind", "later", "earlier", "before"],
)
def test_the_audit_log_is_filtered(
    program: Callable[..., Program], stocked: Callable[[Made], Stock], name: str, value: str, fits: bool
) -> None:
    """By action, kind of target and time."""
    caller = program()
    stocked(caller.tenant)
    items = (caller.get(AUDIT, query_string={name: value}).json or {})["items"]
    assert bool(items) is fits
    if name in ("action", "target_kind"):
        assert all(each[name] == value for each in items)


@pytest.mark.parametrize("query", ["since=yesterday", "since=2026-01-01T00:00:00", "colour=blue", "action=a&action=b"])
def test_filters_that_will_not_do(program: Callable[..., Program], query: str) -> None:
    """A moment without a zone, an unknown and a repeated filter are 422."""
    assert_problem(program().get(f"{AUDIT}?{query}"), 422, "invalid")


def test_no_secret_is_told(program: Callable[..., Program], stocked: Callable[[Made], Stock]) -> None:
    """Neither the key, nor the owner's password, nor what a document says stands in any of these answers."""
    caller = program()
    stocked(caller.tenant)
    for address in (CURRENT, f"{AUDIT}?limit=100", "/api/v1/usage", "/api/v1/usage/summary", "/api/v1/workspaces"):
        told = caller.get(address).text
        for secret in (caller.secret, caller.tenant.password, "4532-1234"):
            assert secret not in told, address


def test_the_audit_log_needs_its_own_scope(program: Callable[..., Program]) -> None:
    """Every other scope together does not open it, nor does a key of another than the default workspace."""
    caller = program(Permission.SETTINGS_READ, Permission.USAGE_READ)
    assert_problem(caller.get(AUDIT), 403, "permission-denied")
    second = make_workspace(caller.tenant)
    mine = Program(caller.client, caller.address, caller.tenant, *issue(caller.tenant, workspace_id=second))
    for address in (AUDIT, "/api/v1/usage/summary"):
        assert_problem(mine.get(address), 403, "permission-denied")


def test_usage_is_summed(program: Callable[..., Program], stocked: Callable[[Made], Stock]) -> None:
    """Over the days asked for, with each quota of the plan; document 003's address answers the same."""
    caller = program()
    stocked(caller.tenant)
    told = caller.get("/api/v1/usage/summary?days=7").json or {}
    assert (told["calls"], told["scans"], told["findings"]) == (0, 1, 1)
    assert datetime.fromisoformat(told["until"]) - datetime.fromisoformat(told["since"]) == timedelta(days=6)
    quotas = {each["quota"]: each for each in told["quotas"]}
    assert (quotas["workspaces"]["used"], quotas["scans"]["used"]) == (2, 1)
    assert quotas["workspaces"]["limit"] and not quotas["workspaces"]["at_risk"]
    caller.write_calls()
    assert (caller.get("/orgs/me/stats?days=7").json or {}) == {**told, "calls": 1}
