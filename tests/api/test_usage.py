"""Usage and the key's own tenant, for programs."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask

from app.core.permissions import Permission
from tests.peers.programs import Program, Stock
from tests.peers.tenants import Made


def test_usage_counts_real_rows(app: Flask, program: Callable[..., Program], stocked: Callable[[Made], Stock]) -> None:
    """Calls, scans and findings of each day are those that happened, to this tenant alone."""
    caller, other = program(), program()
    stocked(caller.tenant)
    stocked(other.tenant)
    other.get("/api/v1/scans")
    for _ in range(3):
        caller.get("/api/v1/scans")
    app.extensions["sentinel"].call_counts.flush()
    told = caller.get("/api/v1/usage", query_string={"days": 7}).json
    assert told is not None
    series = {each["name"]: each for each in told["series"]}
    assert {name: each["total"] for name, each in series.items()} == {"calls": 3, "scans": 1, "findings": 1}
    assert len(series["calls"]["days"]) == 7
    assert series["calls"]["days"][-1] == {"date": datetime.now(UTC).date().isoformat(), "value": 3}


def test_key_learns_its_tenant_and_scopes(program: Callable[..., Program]) -> None:
    """Any key in force may ask whose it is and what it may do."""
    caller = program(Permission.SCANS_READ)
    told = caller.get("/api/v1/tenants/current").json
    assert told is not None and told.pop("created_at") < told.pop("trial_ends_at")
    scopes = ["tenant:scans:read"]
    assert told == {
        "id": str(caller.tenant.id),
        "slug": caller.tenant.slug,
        "name": "Acme",
        "plan": "professional",
        "status": "trial",
        "key": {
            "id": str(caller.key_id),
            "name": "tests",
            "workspace_id": str(caller.tenant.id),
            "scopes": scopes,
        },
    }


def test_figures_are_those_of_the_page(
    app: Flask, program: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls by key, endpoint and day of the present month, with what they come to; a wrong split is refused."""
    counts = app.extensions["sentinel"].call_counts
    caller = program()
    for _ in range(3):
        caller.get("/api/v1/scans")
    counts.flush()
    for split, key in (
        ("key", str(caller.key_id)),
        ("endpoint", "/api/v1/scans"),
        ("person", "keys"),
        ("workspace", str(caller.tenant.id)),
        ("day", datetime.now(UTC).date().isoformat()),
    ):
        told = caller.get("/api/v1/usage/figures", query_string={"split": split}).json
        assert told is not None
        assert told["total"] == 3 and told["rest"] == 0 and told["until"] == datetime.now(UTC).date().isoformat()
        assert [(part["key"], part["value"]) for part in told["parts"]] == [(key, 3)]
    refused = caller.get("/api/v1/usage/figures", query_string={"what": "scans", "split": "key"})
    assert refused.status_code == 422 and refused.json is not None and "split" in str(refused.json)
    summary = caller.get("/orgs/me/stats").json
    assert summary is not None
    at_risk = {each["quota"]: (each["percent"], each["at_risk"]) for each in summary["quotas"]}
    assert at_risk["llm_tokens_month"] == (None, False) and at_risk["scans"] == (0, False)
    counts.flush()
