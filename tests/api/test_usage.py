"""Usage and the key's own tenant, for programs."""

from collections.abc import Callable
from datetime import UTC, datetime

from app.core.permissions import Permission
from tests.peers.programs import Program, Stock
from tests.peers.tenants import Made


def test_usage_counts_real_rows(program: Callable[..., Program], stocked: Callable[[Made], Stock]) -> None:
    """Calls, scans and findings of each day are those that happened, to this tenant alone."""
    caller, other = program(), program()
    stocked(caller.tenant)
    stocked(other.tenant)
    other.get("/api/v1/scans")
    for _ in range(3):
        caller.get("/api/v1/scans")
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
