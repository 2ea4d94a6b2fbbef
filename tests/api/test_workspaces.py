"""Workspaces for programs, and what a key of one sees of another."""

from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask

from app.api.documents import operations
from app.core.permissions import WITHIN_WORKSPACE, Permission
from app.db.units import Home, Units
from app.services import api_keys, configurations, workspaces
from tests.api.test_routing import assert_problem, filled
from tests.peers.programs import Program, issue, make_workspace, sample, stock
from tests.peers.tenants import Made

WORKSPACES = "/api/v1/workspaces"


def of_workspace(caller: Program, workspace_id: UUID, *scopes: str) -> Program:
    """A program of the same tenant with a key of the workspace."""
    secret = issue(caller.tenant, *scopes, workspace_id=workspace_id)
    return Program(caller.client, caller.address, caller.tenant, *secret)


def test_a_key_of_one_workspace_gets_404_on_anothers_things(
    app: Flask, program: Callable[..., Program], worker_units: Units
) -> None:
    """On every route with an id: what belongs to the tenant's other workspace is as if it were nowhere."""
    caller = program()
    second = make_workspace(caller.tenant, "Second")
    ids = stock(caller.tenant, worker_units).ids
    ids["workspace_id"] = caller.tenant.id
    mine = of_workspace(caller, second)
    asked = 0
    for method, rule, operation in operations(app):
        if "{" not in rule or not set(operation.permissions) <= WITHIN_WORKSPACE:
            continue
        assert_problem(mine.ask(method, filled(rule, ids), **sample(operation)), 404, "not-found")
        asked += 1
    assert asked >= 9
    for noun in ("assets", "scans", "findings"):
        assert (mine.get(f"/api/v1/{noun}").json or {})["items"] == []
        assert (mine.get(f"/api/v1/{noun}?workspace_id={caller.tenant.id}").json or {})["items"] == []
        assert (caller.get(f"/api/v1/{noun}").json or {})["items"] != []
        assert (caller.get(f"/api/v1/{noun}?workspace_id={second}").json or {})["items"] == []
    assert [row["id"] for row in (mine.get(WORKSPACES).json or {})["items"]] == [str(second)]


def test_a_key_works_within_its_workspace(program: Callable[..., Program]) -> None:
    """It adds an asset and starts a scan there; the calls count for that workspace."""
    caller = program()
    second = make_workspace(caller.tenant)
    mine = of_workspace(caller, second)
    asset = mine.post("/api/v1/assets", json={"name": "Letter", "text": "x"}).json or {}
    assert asset["workspace_id"] == str(second)
    scan = mine.post("/api/v1/scans", json={"asset_id": asset["id"], "tool": "text"}).json or {}
    assert scan["workspace_id"] == str(second)
    refused = mine.post("/api/v1/assets", json={"name": "x", "text": "x", "workspace_id": str(caller.tenant.id)})
    assert assert_problem(refused, 422, "invalid")["errors"][0]["field"] == "workspace_id"
    mine.client.application.extensions["sentinel"].call_counts.flush()
    calls = [each for each in (mine.get("/api/v1/usage").json or {})["series"] if each["name"] == "calls"]
    assert calls[0]["total"] == 3
    assert_problem(caller.get(f"/api/v1/scans/{scan['id']}"), 404, "not-found")


def test_keys_of_an_archived_workspace_are_refused(program: Callable[..., Program]) -> None:
    """From the next request on, with a reason; restored, they work again; other keys never noticed."""
    caller = program()
    second = make_workspace(caller.tenant)
    mine = of_workspace(caller, second)
    assert mine.get(WORKSPACES).status_code == 200
    assert caller.ask("DELETE", f"{WORKSPACES}/{second}").status_code == 200
    assert_problem(mine.get(WORKSPACES), 403, "workspace-archived")
    assert caller.ask("PATCH", f"{WORKSPACES}/{second}", json={"archived": False}).status_code == 200
    assert mine.get(WORKSPACES).status_code == 200


def test_what_reaches_over_all_workspaces_is_the_default_ones(program: Callable[..., Program]) -> None:
    """A key of another workspace is not given such a scope, and one that has it all the same cannot use it."""
    caller = program()
    second = make_workspace(caller.tenant)
    with pytest.raises(Exception, match="not issued"):
        of_workspace(caller, second, Permission.AUDIT_READ)
    holder = of_workspace(caller, second, Permission.WORKSPACES_READ)
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        key = api_keys.get_key(unit, holder.key_id)
        key.scopes = [str(Permission.WORKSPACES_READ), str(Permission.WORKSPACES_WRITE)]
        unit.commit()
    assert_problem(holder.post(WORKSPACES, json={"name": "Third"}), 403, "permission-denied")
    assert holder.get(WORKSPACES).status_code == 200


def test_a_workspace_is_made_changed_and_archived(program: Callable[..., Program]) -> None:
    """With its settings and where each comes from; Location, ETag and the alias of document 003 work."""
    caller = program()
    made = caller.post("/workspaces", json={"name": "Staging", "settings": {"guard.block_at": 0.5}})
    assert made.status_code == 201 and made.json is not None
    where = made.headers["Location"]
    assert where == f"{WORKSPACES}/{made.json['id']}"
    block_at = next(each for each in made.json["settings"] if each["name"] == "guard.block_at")
    assert block_at == {"name": "guard.block_at", "value": 0.5, "source": "workspace"}
    shown = caller.get(where)
    assert shown.json == made.json == caller.get(where.removeprefix("/api/v1")).json
    asked = {"name": "Test", "settings": {"guard.block_at": None, "guard.ignored_kinds": ["email", "phone"]}}
    headers = {"X-API-Key": caller.secret, "If-Match": shown.headers["ETag"]}
    changed = caller.ask("PATCH", where, headers=headers, json=asked)
    assert changed.status_code == 200 and changed.json is not None
    told = {each["name"]: (each["value"], each["source"]) for each in changed.json["settings"]}
    assert told["guard.block_at"] == (0.7, "platform")
    assert told["guard.ignored_kinds"] == (["email", "phone"], "workspace")
    assert_problem(caller.ask("DELETE", where, headers=headers), 412, "precondition-failed")
    archived = caller.ask("DELETE", where)
    assert archived.status_code == 200 and (archived.json or {})["archived_at"] is not None
    assert len((caller.get(WORKSPACES).json or {})["items"]) == 1
    assert len((caller.get(f"{WORKSPACES}?archived=true").json or {})["items"]) == 1
    assert_problem(caller.ask("PATCH", where, json={"name": "x"}), 409, "conflict")
    assert_problem(caller.ask("DELETE", f"{WORKSPACES}/{caller.tenant.id}"), 409, "conflict")


def test_refusals_name_the_field(program: Callable[..., Program]) -> None:
    """A taken name and a setting that is none are 422; nothing is left of the workspace."""
    caller = program()
    for body, field in (({"name": "default"}, "name"), ({"name": "New", "settings": {"colour": 1}}, "colour")):
        problem = assert_problem(caller.post(WORKSPACES, json=body), 422, "invalid")
        assert problem["errors"][0]["field"] == field
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        assert len(workspaces.list_workspaces(unit).rows) == 1


def test_the_guard_judges_by_the_keys_workspace(program: Callable[..., Program]) -> None:
    """What one workspace lets pass another blocks, and the answer's policy version tells them apart."""
    caller = program()
    second = make_workspace(caller.tenant)
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        configurations.change_configuration(unit, second, {"guard.ignored_kinds": "credit-card"})
        unit.commit()
    asked = {"user_input": "My credit card is 4532-1234-5678-9010"}
    strict = caller.post("/process", json=asked).json or {}
    lenient = of_workspace(caller, second).post("/process", json=asked).json or {}
    assert (strict["pii_kinds"], lenient["pii_kinds"]) == (["credit-card"], [])
    assert strict["policy_version"] == "default-1" != lenient["policy_version"]


def test_a_tenant_without_more_workspaces_sees_no_difference(
    program: Callable[..., Program], tenants: Callable[[], Made]
) -> None:
    """A key that names no workspace belongs to the default one and works as ever."""
    caller = program(of=tenants())
    assert caller.post("/api/v1/assets", json={"name": "Letter", "text": "x"}).status_code == 201
    assert [row["default"] for row in (caller.get(WORKSPACES).json or {})["items"]] == [True]
