"""Whatever staff do at the console they can do by command, and each command stands in both logs."""

import json
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import select

from app.cli import main
from app.core.settings import settings
from app.db import oversight
from app.db import staff as directory
from app.db.oversight import NIL, EventSearch
from app.db.units import Home, Units
from app.models.accounts import AccountAuditEvent, AccountEffect
from app.models.trails import AuditEvent
from app.platform.acts import ACTS
from app.services import lifecycles, plan_requests, staff
from app.services.checkups import TRIES
from app.services.staff import NotStaff
from app.services.stewards import Steward
from tests.peers.staff import OPS, hire
from tests.peers.standstills import stuck_scan_of
from tests.peers.tenants import Made
from tests.plugins.servers import Database

NAMED = ("--as", OPS, "--reason", "as agreed by telephone")
# An action of the console (where it is sent to, and which of several) -> its command, its further arguments, and the
# action in both logs.
Case = tuple[str, Callable[[Made], list[str]], str]


def given(*arguments: str) -> Callable[[Made], list[str]]:
    """Return the maker of arguments that are the same for every tenant."""
    return lambda _made: list(arguments)


CASES: dict[tuple[str, str | None], Case] = {
    ("tenants.act", "suspension"): ("tenants suspend", given(), "tenant.suspend"),
    ("tenants.act", "resumption"): ("tenants resume", given(), "tenant.resume"),
    ("tenants.act", "plan"): ("tenants change-plan", given("--plan", "starter"), "tenant.change-plan"),
    ("overrides.create", None): ("tenants override", given("quota", "seats", "7", "--days", "3"), "plan.override"),
    ("overrides.end", None): ("tenants end-override", lambda made: [override_of(made)], "plan.override-end"),
    ("requests.decide", "refusal"): ("requests decide", given("decline"), "plan.decline"),
    ("requests.decide", "approval"): ("requests decide", given("approve", "--answer", "Welcome."), "plan.approve"),
    ("cancellations.create", None): ("scans cancel", lambda made: [str(stuck_scan_of(made))], "scan.cancel"),
    ("retries.create", None): ("effects retry", lambda made: [stuck_effect_of(made)], "effect.retry"),
    ("tenants.act", "deletion"): ("tenants delete", lambda made: ["--slug", made.slug], "tenant.delete"),
    ("tenants.act", "restoration"): ("tenants restore", given(), "tenant.restore"),
    ("tenants.act", "erasure"): ("tenants purge", lambda made: ["--slug", made.slug], "tenant.purge"),
}


def run(*arguments: str) -> Result:
    """Run a command of `sentinel`."""
    return CliRunner().invoke(main, list(arguments))


def actions_of(app: Flask) -> set[tuple[str, str | None]]:
    """Return every action of the console: where a POST of somebody who is signed in goes, and each of its kinds."""
    found: set[tuple[str, str | None]] = set()
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or set()) or not getattr(app.view_functions[rule.endpoint], "staff_only", False):
            continue
        kinds = rule.rule.partition("any(")[2].partition(")")[0]
        found |= {(rule.endpoint, kind) for kind in (kinds.split(", ") if kinds else [None])}
    return found


def override_of(made: Made) -> str:
    """Return the id of what was agreed on with the tenant, as `tenants show` tells it."""
    told = json.loads(run("tenants", "show", str(made.id), "--json").stdout)
    return str(told["overrides"][0]["id"])


def stuck_effect_of(made: Made) -> str:
    """Give the tenant an effect that has failed and is older than what other tests left; return its id."""
    with made.unit(Home.ACCOUNT) as unit:
        now = unit.now()
        row = AccountEffect(
            kind="test.none", payload={}, created_at=now - timedelta(days=365), due_at=now + timedelta(hours=1)
        )
        row.attempts, row.last_error = TRIES, "ConnectionError"
        unit.session.add(row)
        unit.session.flush()
        effect_id = row.id
        unit.commit()
    return str(effect_id)


def ask_for_a_plan(made: Made) -> None:
    """Ask for another plan as the tenant's owner."""
    with made.unit(Home.ACCOUNT) as unit:
        plan_requests.request_plan(unit, "enterprise", note="We grow.")
        unit.commit()


def close(made: Made) -> None:
    """Delete the tenant as its owner."""
    with made.unit(Home.ACCOUNT) as unit:
        lifecycles.delete_tenant(unit, made.slug)
        unit.commit()


def test_each_action_has_its_command_and_each_command_its_rows(
    platform: Flask, platform_units: Units, worker_units: Units, tenant: Made
) -> None:
    """Every POST of the console has a command; it names who and why in the staff's log and in the tenant's own."""
    assert actions_of(platform) == set(CASES)
    assert {kind for endpoint, kind in CASES if endpoint == "tenants.act"} == set(ACTS)
    for (endpoint, kind), (command, arguments, action) in CASES.items():
        if endpoint == "requests.decide":
            ask_for_a_plan(tenant)
        if kind == "erasure":
            close(tenant)
        done = run(*command.split(), str(tenant.id), *arguments(tenant), *NAMED, "--no-wait", "--json")
        assert done.exit_code == 0, (action, done.output)
        order_id = UUID(json.loads(done.stdout)["order"])
        while Steward(worker_units).run_once():
            pass
        with platform_units.identify() as door:
            event = oversight.log(door.session, EventSearch(tenant.id, action=action), most=1)[0]
        assert event.id == order_id
        assert (event.staff_label, event.reason, event.last_error) == (NAMED[1], NAMED[3], None), action
        assert event.done_at is not None
        kind_of_row = AuditEvent if action == "scan.cancel" else AccountAuditEvent
        with tenant.unit(kind_of_row.home) as unit:
            row = unit.session.scalars(select(kind_of_row).where(kind_of_row.action == action)).one()
            assert (row.actor_kind, row.actor_label) == ("staff", f"Sentinel staff: {NAMED[1]}"), action
            assert NAMED[3] in str(row.after), action
    _clear(tenant)


def _clear(made: Made) -> None:
    with made.unit(Home.ACCOUNT) as unit:
        effect = unit.session.scalars(select(AccountEffect).where(AccountEffect.kind == "test.none")).one()
        assert effect.due_at <= unit.now()
        assert effect.attempts == TRIES
        effect.done_at = unit.now()
        unit.commit()


def test_a_refused_order_ends_with_1(tenant: Made, worker_units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command waits with a bar until the worker has spoken, and tells what it said."""
    monkeypatch.setattr("app.platform.terminal.time.sleep", lambda _seconds: Steward(worker_units).run_once())
    refused = run("tenants", "resume", str(tenant.id), *NAMED)
    assert refused.exit_code == 1
    assert refused.stdout == "refused: The tenant is trial, not suspended.\n"
    done = run("tenants", "change-plan", str(tenant.id), "--plan", "starter", *NAMED, "--json")
    assert json.loads(done.stdout)["outcome"] == "carried out"
    assert run("requests", "decide", str(tenant.id), "approve", *NAMED).exit_code == 1
    assert run("tenants", "override", str(tenant.id), "quota", "nothing", "7", *NAMED).exit_code == 2


def test_commands_that_tell(tenant: Made, platform_units: Units) -> None:
    """Tenants, requests, health and effects are told as a table, as JSON and, where there are many, as CSV."""
    ask_for_a_plan(tenant)
    listed = json.loads(run("tenants", "list", "--search", tenant.slug, "--trial-ends-in", "20", "--json").stdout)
    assert [row["tenant_id"] for row in listed] == [str(tenant.id)]
    assert json.loads(run("tenants", "list", "--search", tenant.slug, "--level", "database", "--json").stdout) == []
    assert tenant.slug in run("tenants", "list", "--search", tenant.slug, "--csv").stdout.splitlines()[1]
    assert "enterprise" in run("tenants", "show", str(tenant.id)).stdout
    assert run("tenants", "show", "00000000-0000-0000-0000-000000000000").exit_code == 1
    asked = json.loads(run("requests", "list", "--json").stdout)
    assert (asked[-1]["tenant_id"], asked[-1]["plan"]) == (str(tenant.id), "enterprise")
    effect_id = stuck_effect_of(tenant)
    assert effect_id in run("effects", "list").stdout
    told = run("health", "--json")
    assert told.exit_code == 1  # Temporal is nowhere in these tests
    assert {"name": "temporal", "state": "down"}.items() <= json.loads(told.stdout)["servers"][0].items()
    scan_id = str(stuck_scan_of(tenant))
    assert effect_id in run("health").stdout and scan_id in run("health").stdout
    listed = json.loads(run("scans", "list", "--json").stdout)
    assert [(row["tenant_id"], row["ordered"]) for row in listed if row["scan_id"] == scan_id] == [
        (str(tenant.id), False)
    ]
    nowhere = run("scans", "cancel", str(NIL), scan_id, *NAMED, "--json")
    assert (nowhere.exit_code, json.loads(nowhere.stdout)["code"]) == (1, "not-found")
    with tenant.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(AccountEffect, (tenant.id, UUID(effect_id))).done_at = unit.now()
        unit.commit()


# Every command that names who acts, with what it needs besides.
NAMING = {
    **{
        command: [str(NIL), *more]
        for command, more in (
            ("tenants suspend", []),
            ("tenants change-plan", ["--plan", "free"]),
            ("tenants override", ["quota", "seats", "7"]),
            ("tenants end-override", [str(NIL)]),
            ("tenants purge", ["--slug", "any"]),
        )
    },
    "staff invite": ["new@example.com"],
    "staff disable": [OPS],
}


@pytest.mark.parametrize("who", ["nobody@example.com", "gone@example.com", "ops", ""])
def test_only_an_enabled_member_is_named(who: str, postgres_server: Database, platform_units: Units) -> None:
    """An unknown, disabled or impossible name ends each command with 2, in words and in JSON; nothing is done."""
    hire(postgres_server.superuser, "gone@example.com", disabled=True)
    with platform_units.identify() as door:
        before = oversight.log(door.session, most=1)
    for command, arguments in NAMING.items():
        asked = (*command.split(), *arguments, "--as", who, "--reason", "as agreed")
        told = run(*asked)
        assert (told.exit_code, told.stdout) == (2, ""), command
        assert "Error: Nothing was done. (as: " in told.stderr
        told = run(*asked, "--json")
        error = json.loads(told.stdout)
        assert (told.exit_code, error["code"], [one["field"] for one in error["errors"]]) == (2, "invalid", ["as"])
    assert run("log", "--csv", "--as", who or "ops").exit_code == 2
    with platform_units.identify() as door:
        assert oversight.log(door.session, most=1) == before


def test_a_command_is_on_record_with_the_member(
    platform_units: Units, worker_units: Units, postgres_server: Database, tenant: Made
) -> None:
    """However the address is written, both logs have the member's own, and the tenant's the id."""
    named = ("--as", " Ops@Example.COM ", "--reason", "as agreed", "--no-wait")
    assert run("tenants", "change-plan", str(tenant.id), "--plan", "starter", *named).exit_code == 0
    while Steward(worker_units).run_once():
        pass
    with platform_units.identify() as door:
        assert oversight.log(door.session, EventSearch(tenant.id), most=1)[0].staff_label == OPS
        known = staff.named(door, OPS)
    with tenant.unit(Home.ACCOUNT) as unit:
        done = select(AccountAuditEvent).where(AccountAuditEvent.action == "tenant.change-plan")
        row = unit.session.scalars(done).one()
        assert (row.actor_id, row.actor_label) == (known.id, f"Sentinel staff: {OPS}")


def test_the_first_member_is_invited_in_any_name(platform_units: Units) -> None:
    """While nobody is an enabled member a link is asked for in any name; nothing else is done in one."""
    with platform_units.identify() as door:  # not committed: the others stay
        for one in directory.list_staff(door.session):
            directory.disable(door.session, one.email)
        assert staff.inviter(door, "First@example.com") == "first@example.com"
        for naming, who in ((staff.named, "first@example.com"), (staff.named, OPS), (staff.inviter, "nobody")):
            with pytest.raises(NotStaff):
                naming(door, who)


def test_staff_by_command_are_on_record(platform: Flask, platform_units: Units) -> None:
    """Who was invited or disabled, by whom and why, and that the log was taken out; the same commands are Flask's."""
    assert settings().database_platform_url is not None
    invited = run("staff", "invite", "new@example.com", *NAMED, "--json")
    assert "/welcome/" in json.loads(invited.stdout)["link"]
    assert run("staff", "invite", "nonsense", *NAMED).exit_code == 1
    assert run("staff", "disable", "nobody@example.com", *NAMED).exit_code == 1
    assert run("staff", "invite", "new@example.com").exit_code == 2  # names nobody
    newest = json.loads(run("log", "--by", NAMED[1], "--action", "staff.invite", "--json").stdout)[0]
    assert (newest["reason"], newest["detail"]) == (NAMED[3], {"email": "new@example.com"})
    assert run("log", "--csv").exit_code == 2
    assert "staff.invite" in run("log", "--csv", "--as", NAMED[1], "--most", "50").stdout
    assert "staff.export-log" in run("log").stdout
    listed = platform.test_cli_runner().invoke(args=["sentinel", "staff", "list", "--json"])
    assert json.loads(listed.stdout) is not None
