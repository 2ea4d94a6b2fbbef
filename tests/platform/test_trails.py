"""Whatever staff change is on record: every form of the console and every command is driven, and its row looked for."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import click
import psycopg
import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner
from flask import Flask, request

from app.cli import main
from app.core import crypto
from app.db.units import Units
from app.services.stewards import Steward
from tests.peers.staff import StaffMember, enrolled, hire
from tests.peers.standstills import stuck_scan_of
from tests.peers.tenants import Made
from tests.platform.test_commands import CASES, NAMED, ask_for_a_plan, stuck_effect_of
from tests.plugins.servers import Database

Rows = set[tuple[Any, ...]]
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
REASON = "Unpaid since May"
UNRECORDED = {"logins.end": "signs out: ends the own session, whose beginning is on record"}
READING = {
    "audit verify": "reads a file",
    "demonstration": "fills the demonstration's tenant through the services, which record it",
    "keys peppers": "counts",
    "effects list": "lists",
    "export verify": "reads a file",
    "health": "tells",
    "requests list": "lists",
    "scans list": "lists",
    "staff list": "lists",
    "tenants certificate": "shows",
    "tenants erasures": "lists",
    "tenants list": "lists",
    "tenants show": "tells",
    "tenants verify-certificate": "reads a file",
    "tokens list": "lists",
}


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords hashed at once."""
    monkeypatch.setattr(crypto, "_passwords", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def log(postgres_server: Database) -> Iterator[Callable[[], Rows]]:
    """Tells what is on record of staff: who and what, in their own log and in the tenants'."""
    with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
        yield lambda: set(
            connection.execute(
                "SELECT id, staff_label, action FROM auth.staff_events UNION ALL "
                "SELECT id, actor_label, action FROM account.audit_events WHERE actor_label LIKE '%staff%'"
            ).fetchall()
        )


def act(member: StaffMember, made: Made, name: str, **form: str) -> int:
    """Order an act on the tenant."""
    member.get(f"/tenants/{made.id}/{name}")
    return member.post(f"/tenants/{made.id}/{name}", {"reason": REASON, "plan": "starter", **form}).status_code


def every_act(member: StaffMember, made: Made, steward: Steward) -> list[int]:
    """Order each act, and let the worker carry it out."""
    names = ("suspension", "resumption", "plan", "deletion", "restoration", "deletion", "erasure")
    found = []
    for name in names:
        found.append(act(member, made, name, slug=made.slug))
        while steward.run_once():
            pass
    return found


def agree(member: StaffMember, made: Made, steward: Steward) -> list[int]:
    """Agree on a figure."""
    where = f"/tenants/{made.id}/overrides/new"
    member.get(where)
    answer = member.post(where, {"figure": "quota:scans", "value": "7", "reason": REASON})
    while steward.run_once():
        pass
    return [answer.status_code]


def end_agreement(member: StaffMember, made: Made, _steward: Steward) -> list[int]:
    """End it."""
    page = member.get(f"/tenants/{made.id}").text
    found = re.search(rf"/tenants/{made.id}/overrides/[0-9a-f-]{{36}}/end", page)
    assert found is not None
    member.get(found.group(0))
    return [member.post(found.group(0), {"reason": REASON}).status_code]


def decide(member: StaffMember, made: Made, steward: Steward) -> list[int]:
    """Decline a plan that the tenant asks for, and approve the next."""
    found = []
    for name in ("refusal", "approval"):
        ask_for_a_plan(made)
        page = re.search(rf"/tenants/{made.id}/requests/[0-9a-f-]{{36}}/{name}", member.listed("/requests"))
        assert page is not None
        member.get(page.group(0))
        found.append(member.post(page.group(0), {"reason": REASON, "answer": ""}).status_code)
        while steward.run_once():
            pass
    return found


def retry(member: StaffMember, made: Made, _steward: Steward) -> list[int]:
    """Have an effect tried again that is stuck."""
    where = f"/tenants/{made.id}/effects/{stuck_effect_of(made)}/retry"
    member.get(where)
    return [member.post(where, {"reason": REASON}).status_code]


def cancel(member: StaffMember, made: Made, _steward: Steward) -> list[int]:
    """Have a scan cancelled that stands still."""
    where = f"/tenants/{made.id}/scans/{stuck_scan_of(made)}/cancellation"
    member.get(where)
    return [member.post(where, {"reason": REASON}).status_code]


# Each with the number of rows that it leaves at least.
CHANGES: dict[str, tuple[Callable[[StaffMember, Made, Steward], list[int]], int]] = {
    "logins.create": (lambda member, _made, _steward: [member.try_to_sign_in().status_code], 1),
    "cancellations.create": (cancel, 1),
    "overrides.create": (agree, 2),
    "overrides.end": (end_agreement, 1),
    "requests.decide": (decide, 4),
    "retries.create": (retry, 1),
    "tenants.act": (every_act, 10),
}
ENROLLED = "logins.enrol"


def unsafe(app: Flask) -> set[str]:
    """Return the console's endpoints that answer an unsafe method."""
    return {rule.endpoint for rule in app.url_map.iter_rules() if UNSAFE & (rule.methods or set())}


def test_every_form_of_the_console_is_on_record(
    platform: Flask, platform_units: Units, worker_units: Units, tenant: Made, log: Callable[[], Rows]
) -> None:
    """Each leaves rows of the member of staff; what is new needs a request here, and what is gone is taken out."""
    assert unsafe(platform) == CHANGES.keys() | UNRECORDED.keys() | {ENROLLED}
    asked: list[str] = []
    hooks: list[Callable[[], None]] = platform.before_request_funcs.setdefault(None, [])  # type: ignore[assignment]
    hooks.insert(0, lambda: asked.append(request.endpoint or ""))
    before = log()
    member = enrolled(platform, platform_units)
    assert ENROLLED in asked
    assert {"staff.invite", "staff.enrol"} <= {action for _id, _who, action in log() - before}
    for endpoint, (drive, rows) in CHANGES.items():
        asked.clear()
        before = log()
        assert set(drive(member, tenant, Steward(worker_units))) == {303}, endpoint
        made = [who for _id, who, _action in log() - before if member.email in who]
        assert endpoint in asked and len(made) >= rows, (endpoint, made)


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every command by its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


# What is no order on a tenant: each of those is driven, with its rows in both logs, in test_commands.
ARGUMENTS = {
    "staff invite": ["new@example.com", *NAMED],
    "staff disable": ["old@example.com", *NAMED],
    "log": ["--csv", "--as", NAMED[1]],
    "tokens rotate": [],
    "tokens revoke": ["--all"],
}


@pytest.fixture
def leaver(postgres_server: Database) -> None:
    """A member of staff for the command that disables one."""
    hire(postgres_server.superuser, "old@example.com")


def test_every_command_is_on_record(environment: object, log: Callable[[], Rows], leaver: None) -> None:
    """Each leaves a row that names who acts; what is new needs its arguments here, or a reason."""
    ordering = {command for command, _arguments, _action in CASES.values()}
    assert set(commands(main)) == ARGUMENTS.keys() | ordering | READING.keys()
    CliRunner().invoke(main, ["tokens", "revoke", "--all"])  # another test's key may wait to sign
    for command, arguments in ARGUMENTS.items():
        before = log()
        told = CliRunner().invoke(main, [*command.split(), *arguments])
        assert told.exit_code == 0, (command, told.output)
        who = NAMED[1] if NAMED[1] in arguments else "command line"
        assert any(who in label for _id, label, _action in log() - before), command
