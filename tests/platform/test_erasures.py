"""Staff erase a tenant by typing its slug, in the console and by command, and keep its certificate."""

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from app.cli import main
from app.core.errors import Conflict
from app.core.settings import settings
from app.db.units import Home, Units
from app.services import lifecycles
from app.services.erasers import Eraser
from app.services.stewards import Steward
from tests.peers.erasures import MemoryExecutions, traces
from tests.peers.staff import OPS, StaffMember
from tests.peers.tenants import Made
from tests.plugins.servers import Database

REASON = "They asked for it in writing"


def ordered(member: StaffMember, made: Made, **form: str) -> int:
    """Send the form; return the answer's status."""
    member.get(f"/tenants/{made.id}/erasure")
    answer = member.post(f"/tenants/{made.id}/erasure", {"reason": REASON, "plan": "free", "slug": made.slug, **form})
    return answer.status_code


def close(made: Made) -> None:
    """Delete the tenant, as its owner."""
    with made.unit(Home.ACCOUNT) as unit:
        lifecycles.delete_tenant(unit, made.slug)
        unit.commit()


def carried_out(units: Units) -> None:
    """Let a worker's steward and eraser do what is due."""
    while Steward(units).run_once():
        pass
    Eraser(units, settings().master, None, MemoryExecutions()).run_once()


def test_erased_from_the_console(
    member: StaffMember, tenant: Made, worker_units: Units, postgres_server: Database, tmp_path: Path
) -> None:
    """Only closed and by its slug; then it cannot be restored, is under way, and ends as a certificate to download."""
    assert ordered(member, tenant) == 409
    close(tenant)
    assert ordered(member, tenant, slug="another") == 422
    assert ordered(member, tenant, reason=" ") == 422
    assert ordered(member, tenant) == 303
    while Steward(worker_units).run_once():
        pass
    member.get("/tenants")
    refused = member.post(f"/tenants/{tenant.id}/restoration", {"reason": "Sorry", "plan": "free"})
    assert refused.status_code in (404, 409)
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(Conflict, match="cannot be restored"):
        lifecycles.restore_tenant(unit)
    page = f"/erasures/{tenant.id}"
    assert member.get(f"/tenants/{tenant.id}").location.endswith(page)
    assert "cannot be restored any more" in member.get(page).text
    assert member.get(f"{page}/certificate").status_code == 404
    assert tenant.slug in member.get("/erasures").text
    carried_out(worker_units)
    shown = member.get(page).text
    assert "What was removed" in shown and "account.memberships" in shown and "shared.findings<" not in shown
    sent = member.get(f"{page}/certificate")
    (tmp_path / "file").write_bytes(sent.data)
    (tmp_path / "key").write_bytes(member.get("/erasures/key").data)
    told = ["tenants", "verify-certificate", str(tmp_path / "file"), "--key", str(tmp_path / "key"), "--json"]
    assert CliRunner().invoke(main, told).exit_code == 0
    body = json.loads(sent.data)["certificate"]
    assert (body["ordered"]["by"], body["ordered"]["reason"], body["slug"]) == ("staff", REASON, tenant.slug)
    assert set(traces(postgres_server, str(tenant.id), tenant.slug)) <= {
        "auth.erasures",
        "auth.held_slugs",
        "auth.staff_events",
        "auth.staff_orders",
    }
    with psycopg.connect(postgres_server.superuser) as seen:  # the person stays, with their own account
        assert seen.execute("SELECT count(*) FROM auth.users WHERE email = %s", [tenant.email]).fetchone() == (1,)


def test_erased_by_command(tenants: Callable[[], Made], worker_units: Units, member: StaffMember) -> None:
    """The order is refused while the tenant is open; its certificate is shown, as JSON too, and in the list."""
    made, runner = tenants(), CliRunner()
    asked = ["tenants", "purge", str(made.id), "--slug", made.slug, "--as", OPS, "--reason", REASON]
    assert runner.invoke(main, [*asked, "--no-wait"]).exit_code == 1
    close(made)
    done = runner.invoke(main, [*asked, "--no-wait", "--json"])
    assert json.loads(done.stdout)["outcome"] == "on record", done.output
    shown = ["tenants", "certificate", str(made.id)]
    assert "not being erased" in runner.invoke(main, shown).output
    while Steward(worker_units).run_once():
        pass
    assert "under way" in runner.invoke(main, shown).output
    carried_out(worker_units)
    assert "         0  left" in runner.invoke(main, [*shown, "--wait"]).output
    kept = json.loads(runner.invoke(main, [*shown, "--json"]).stdout)
    assert kept["certificate"]["tenant"] == str(made.id)
    listed = json.loads(runner.invoke(main, ["tenants", "erasures", "--json"]).stdout)
    assert [row["step"] for row in listed if row["tenant_id"] == str(made.id)] == ["done"]
    again = runner.invoke(main, asked)
    assert (again.exit_code, "nothing else can be done" in again.output) == (1, True)


def test_a_suspended_tenant_is_deleted_and_erased(member: StaffMember, tenant: Made, worker_units: Units) -> None:
    """One order closes it for good: it is deleted first, and gone afterwards."""
    member.get(f"/tenants/{tenant.id}/suspension")
    member.post(f"/tenants/{tenant.id}/suspension", {"reason": "Abuse", "plan": "free"})
    assert ordered(member, tenant) == 303
    carried_out(worker_units)
    assert "What was removed" in member.get(f"/erasures/{tenant.id}").text
