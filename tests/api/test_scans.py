"""Scans for programs."""

from collections.abc import Callable

from app.services import assets
from tests.peers.programs import FAULT, Program, Stock
from tests.peers.tenants import Made

SCANS = "/api/v1/scans"


def document(made: Made) -> str:
    """Give the tenant a document; return its id."""
    with made.unit() as unit:
        asset = assets.add_document(unit, name="Letter", text="My card is 4532-1234-5678-9010")
        unit.commit()
        return str(asset.id)


def test_scan_is_accepted_followed_and_cancelled(program: Callable[..., Program]) -> None:
    """A started scan is queued, stands where Location says, and can be cancelled twice alike."""
    caller = program()
    started = caller.post(SCANS, json={"asset_id": document(caller.tenant), "tool": "text"})
    assert started.status_code == 202
    assert started.json is not None and started.json["status"] == "queued"
    where = started.headers["Location"]
    assert where == f"{SCANS}/{started.json['id']}"
    shown = caller.get(where).json
    assert shown is not None and shown["steps"] == [] and shown["requested_by"] == "tests"
    assert shown["created_at"].endswith("Z")
    for _ in range(2):
        cancelled = caller.post(f"{where}/cancellation")
        assert cancelled.status_code == 202
        assert cancelled.json is not None and cancelled.json["status"] == "cancelled"


def test_refusals_to_start(program: Callable[..., Program], stocked: Callable[[Made], Stock]) -> None:
    """A tool that does not fit is 422, an address that is not proven 409, both told in words."""
    caller = program()
    ids = stocked(caller.tenant).ids
    unfit = caller.post(SCANS, json={"asset_id": str(ids["asset_id"]), "tool": "text"})
    assert unfit.status_code == 422
    assert unfit.json is not None and unfit.json["errors"][0]["field"] == "tool"
    unproven = caller.post(SCANS, json={"asset_id": str(ids["asset_id"]), "tool": "posture"})
    assert unproven.status_code == 409
    assert unproven.json is not None and "not proven" in unproven.json["detail"]
    unknown = caller.post(SCANS, json={"asset_id": str(ids["asset_id"]), "tool": "nmap"})
    assert unknown.status_code == 422


def test_pages_follow_by_cursor(program: Callable[..., Program]) -> None:
    """Pages join without gap or repetition, newest first; a cursor of other filters or of another tenant is 400."""
    caller, other = program(), program()
    asset = document(caller.tenant)
    started = [(caller.post(SCANS, json={"asset_id": asset, "tool": "text"}).json or {})["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        page = caller.get(SCANS, query_string={"limit": 2, **({"cursor": cursor} if cursor else {})}).json
        assert page is not None
        seen += [scan["id"] for scan in page["items"]]
        last, cursor = cursor, page["next_cursor"]
        if cursor is None:
            break
    assert seen == started[::-1]
    assert caller.get(SCANS, query_string={"cursor": last, "status": "queued"}).status_code == 400
    assert other.get(SCANS, query_string={"cursor": last}).status_code == 400


def test_filters(program: Callable[..., Program], stocked: Callable[[Made], Stock]) -> None:
    """Scans are listed by status and by asset."""
    caller = program()
    ids = stocked(caller.tenant).ids

    def count(**query: object) -> int:
        return len((caller.get(SCANS, query_string=query).json or {})["items"])

    assert (count(status="done"), count(status="queued")) == (1, 0)
    assert (count(asset_id=ids["document_id"]), count(asset_id=ids["asset_id"])) == (1, 0)


def test_findings_of_a_scan(program: Callable[..., Program], stocked: Callable[[Made], Stock]) -> None:
    """A finished scan shows its steps and what it saw; the finding is the same row in the list and by itself."""
    caller = program()
    ids = stocked(caller.tenant).ids
    shown = caller.get(f"{SCANS}/{ids['scan_id']}").json
    assert shown is not None and shown["status"] == "done" and shown["finding_count"] == 1
    assert [step["name"] for step in shown["steps"]] == ["started", "finished"]
    found = caller.get(f"{SCANS}/{ids['scan_id']}/findings").json
    assert found is not None and [row["rule"] for row in found["items"]] == [FAULT.rule]
    listed = caller.get("/api/v1/findings", query_string={"severity": "medium", "status": "open"}).json
    assert listed == {"items": found["items"], "next_cursor": None}
    assert caller.get(f"/api/v1/findings/{ids['finding_id']}").json == found["items"][0]
    assert caller.get("/api/v1/findings", query_string={"severity": "low"}).json == {"items": [], "next_cursor": None}


def test_unchanged_scan_is_304(program: Callable[..., Program], stocked: Callable[[Made], Stock]) -> None:
    """A scan that has not changed since the ETag is not sent again, to its own tenant only."""
    caller, other = program(), program()
    where = f"{SCANS}/{stocked(caller.tenant).ids['scan_id']}"
    tag = caller.get(where).headers["ETag"]
    again = caller.get(where, headers={"X-API-Key": caller.secret, "If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert other.get(where, headers={"X-API-Key": other.secret, "If-None-Match": tag}).status_code == 404
