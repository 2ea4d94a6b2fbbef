"""Findings over time and searched, for programs."""

from collections.abc import Callable
from dataclasses import replace

from app.core.permissions import Permission
from app.db.units import Units
from tests.peers.programs import Program, issue, make_workspace, stock


def test_a_key_sees_the_trend_and_the_words_of_its_own_workspace(
    program: Callable[..., Program], worker_units: Units
) -> None:
    """Open findings of each day, as its rows are; another workspace's are in nobody's numbers but its own."""
    caller = program(Permission.FINDINGS_READ)
    stock(caller.tenant, worker_units)
    told = caller.get("/api/v1/findings/trend", query_string={"days": 8}).json
    assert told is not None and len(told["days"]) == 8
    assert told["days"][-1]["medium"] == 1 == told["changes"]["medium"] and told["days"][0]["medium"] == 0
    for words, number in (("POLICY", 1), ("nowhere", 0)):
        found = caller.get("/api/v1/findings", query_string={"q": words}).json
        assert found is not None and len(found["items"]) == number
    aside = make_workspace(caller.tenant)
    key_id, secret = issue(caller.tenant, Permission.FINDINGS_READ, workspace_id=aside)
    other = replace(caller, key_id=key_id, secret=secret).get("/api/v1/findings/trend").json
    assert other is not None and not any(other["days"][-1][level] for level in ("critical", "high", "medium", "low"))
    assert caller.get("/api/v1/findings/trend", query_string={"days": 7}).status_code == 422
