"""If-Match: nobody overwrites what they have not seen."""

import threading
from collections.abc import Callable

import pytest
from flask import Flask

from app.api.documents import operations
from app.services import findings
from tests.api.test_routing import assert_problem
from tests.peers.programs import Program, Stock
from tests.peers.tenants import Made

Stocked = Callable[[Made], Stock]


@pytest.fixture
def caller(program: Callable[..., Program]) -> Program:
    """A program with all scopes."""
    return program()


def headers(caller: Program, tag: str | None = None) -> dict[str, str]:
    """The key, and If-Match where it is given."""
    return {"X-API-Key": caller.secret, **({} if tag is None else {"If-Match": tag})}


def test_an_update_goes_through_where_the_etag_fits(caller: Program, stocked: Stocked) -> None:
    """With the ETag that was read the update is done, and tells the new one; with the old one it is 412 then."""
    asset = f"/api/v1/assets/{stocked(caller.tenant).ids['asset_id']}"
    tag = caller.get(asset).headers["ETag"]
    changed = caller.ask("PATCH", asset, headers=headers(caller, tag), json={"name": "Harbour"})
    assert changed.status_code == 200 and (changed.json or {})["name"] == "Harbour"
    assert changed.headers["ETag"] == caller.get(asset).headers["ETag"] != tag
    refused = caller.ask("PATCH", asset, headers=headers(caller, tag), json={"name": "Other"})
    assert_problem(refused, 412, "precondition-failed")
    assert (caller.get(asset).json or {})["name"] == "Harbour"
    assert_problem(caller.ask("DELETE", asset, headers=headers(caller, tag)), 412, "precondition-failed")
    assert caller.ask("DELETE", asset, headers=headers(caller, f'"x", {changed.headers["ETag"]}')).status_code == 200


def test_if_match_is_not_demanded(caller: Program, stocked: Stocked) -> None:
    """Without If-Match, and with `*`, the update is done."""
    finding = f"/api/v1/findings/{stocked(caller.tenant).ids['finding_id']}"
    for tag, status in ((None, "accepted"), ("*", "open")):
        answer = caller.ask("PATCH", finding, headers=headers(caller, tag), json={"status": status})
        assert (answer.status_code, (answer.json or {})["status"]) == (200, status)


def test_a_weak_etag_does_not_match(caller: Program, stocked: Stocked) -> None:
    """If-Match compares strongly (RFC 9110): a weak ETag is 412."""
    finding = f"/api/v1/findings/{stocked(caller.tenant).ids['finding_id']}"
    tag = "W/" + caller.get(finding).headers["ETag"]
    answer = caller.ask("PATCH", finding, headers=headers(caller, tag), json={"status": "accepted"})
    assert_problem(answer, 412, "precondition-failed")


def test_what_is_not_there_is_404(caller: Program, program: Callable[..., Program], stocked: Stocked) -> None:
    """Another tenant's thing is not found whatever If-Match says."""
    theirs = stocked(program().tenant).ids["asset_id"]
    for tag in ("*", '"x"'):
        answer = caller.ask("PATCH", f"/api/v1/assets/{theirs}", headers=headers(caller, tag), json={"name": "x"})
        assert_problem(answer, 404, "not-found")


def test_a_change_in_between_waits_and_is_seen(app: Flask, caller: Program, stocked: Stocked) -> None:
    """The row is held from the comparison on: of two updates with one ETag, exactly one goes through."""
    finding_id = stocked(caller.tenant).ids["finding_id"]
    finding = f"/api/v1/findings/{finding_id}"
    tag = caller.get(finding).headers["ETag"]
    statuses: list[int] = []

    def update() -> None:
        mine = Program(app.test_client(), caller.address, caller.tenant, caller.key_id, caller.secret)
        answer = mine.ask("PATCH", finding, headers=headers(mine, tag), json={"status": "accepted"})
        statuses.append(answer.status_code)

    with caller.tenant.unit() as unit:
        findings.triage(unit, finding_id, status="resolved")
        unit.session.flush()
        waiting = threading.Thread(target=update)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive(), "the update did not wait for the row"
        unit.commit()
    waiting.join()
    assert statuses == [412]


def test_every_update_honours_if_match(app: Flask) -> None:
    """Each PATCH, PUT and DELETE of one thing takes If-Match, and its thing is shown with an ETag."""
    known = {(method, address): operation for method, address, operation in operations(app)}
    for (method, address), operation in known.items():
        if method in ("PATCH", "PUT", "DELETE"):
            assert operation.current is not None, (method, address)
            shown = known["GET", address]
            assert shown.tagged, address
            assert operation.current.__annotations__["return"] is shown.answer, address
