"""What people and programs try in a tenant is in its log: entries, denials and failed sign-ins, each capped."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from app.core.errors import PermissionDenied
from app.core.permissions import Role
from app.core.settings import settings
from app.db.units import Home, Units
from app.models.accounts import AccountAuditEvent, Membership
from app.models.tenants import Tenant
from app.models.trails import AuditEvent
from app.services import denials, entries, failed_sign_ins
from app.services.audit import EventFilter, list_events
from app.services.failed_sign_ins import FailureLog
from tests.peers.programs import issue
from tests.peers.tenants import Made, make_tenant
from tests.peers.visitors import Person


@pytest.fixture
def made(units: Units) -> Made:
    """A tenant."""
    return make_tenant(units)


@pytest.fixture
def owner(newcomer: Callable[[], Person], made: Made) -> Person:
    """Its owner, signed in."""
    return newcomer().sign_in(made)


def events(made: Made, action: str) -> list[AuditEvent | AccountAuditEvent]:
    """Return the events of an action in both logs, newest first."""
    with made.unit() as unit:
        return list(list_events(unit, EventFilter(action=action)).rows)  # type: ignore[arg-type]


def put_role(made: Made, role: Role) -> None:
    """Make somebody else the owner, and the person of `made` something less."""
    with made.unit(Home.ACCOUNT) as unit:
        unit.session.add(
            Membership(user_id=made.id, email="other@example.com", name="Other", role=Role.OWNER, created_at=unit.now())
        )
        unit.session.flush()
        unit.session.execute(update(Membership).where(Membership.email == made.email).values(role=role))
        unit.commit()


def test_a_session_is_in_the_log_once(owner: Person, made: Made, newcomer: Callable[[], Person]) -> None:
    """The first page of a session leaves one event, however many follow; another session leaves another."""
    for _ in range(3):
        assert owner.get(owner.at("/scans")).status_code == 200
    (event,) = events(made, "session.enter")
    assert (event.actor_label, event.actor_kind) == (made.email, "user")
    assert event.after == {"methods": ["password"], "second_factor": False}
    entries._known.clear()  # another process knows nothing of it
    owner.get(owner.at("/scans"))
    assert len(events(made, "session.enter")) == 1
    other = newcomer().sign_in(made)
    other.get(other.at("/audit"))
    assert len(events(made, "session.enter")) == 2
    assert "session.enter" in other.get(other.at("/audit")).text


def test_a_lack_of_permission_is_in_the_log(owner: Person, made: Made) -> None:
    """Whoever is refused a page for lack of a permission leaves an event that names both."""
    put_role(made, Role.VIEWER)
    assert owner.get(owner.at("/keys")).status_code == 403
    assert owner.get(owner.at("/nothing-there")).status_code == 404
    (event,) = events(made, "access.deny")
    assert event.actor_label == made.email and event.after is not None
    assert event.after["permission"] == "tenant:keys:read"
    assert (event.after["method"], event.after["route"]) == ("GET", "/t/<slug>/keys")


def test_a_program_that_is_refused_is_in_the_log(app: Flask, made: Made) -> None:
    """A key outside of its networks, without the scope, or of a suspended tenant leaves an event under its name."""
    base_url = settings().base_url.replace("http://", "https://")
    client = app.test_client()
    _narrow, outside = issue(made, "tenant:scans:read", networks=["203.0.113.0/24"])
    _key, inside = issue(made, "tenant:scans:read")
    for secret, path in ((outside, "/api/v1/scans"), (inside, "/api/v1/findings")):
        answer = client.get(path, headers={"X-API-Key": secret}, base_url=base_url)
        assert answer.status_code == 403
    with made.unit(Home.ACCOUNT) as unit:
        unit.session.execute(update(Tenant).values(status="suspended"))
        unit.commit()
    assert client.get("/api/v1/scans", headers={"X-API-Key": inside}, base_url=base_url).status_code == 403
    reasons = [event.after["reason"] for event in events(made, "access.deny") if event.after]
    assert len(reasons) == 3 and "suspended" in reasons[0] and "not accepted from" in reasons[2]


def test_denials_are_capped(made: Made) -> None:
    """Of one actor 30 denials an hour are written, however many there are."""
    error = PermissionDenied("no")
    with made.unit() as unit:
        written = [denials.record_denial(unit, error, method="GET", route="/x") for _ in range(40)]
        unit.commit()
    assert written.count(True) == 30


def test_what_one_is_only_asked_first_is_no_denial() -> None:
    """A fresh proof or a second factor that is asked for is not a denial."""
    from app.core.errors import ConfirmationRequired, FactorRequired, TenantClosed

    assert denials.counts(PermissionDenied()) and denials.counts(TenantClosed())
    assert not denials.counts(ConfirmationRequired()) and not denials.counts(FactorRequired())


def test_a_failed_sign_in_is_in_every_tenant_of_the_person(
    newcomer: Callable[[], Person], made: Made, units: Units, worker_units: Units
) -> None:
    """A wrong password for a member's address is in the log of each of their tenants, with address and moment."""
    other = make_tenant(units)
    join(other, made)
    person = newcomer()
    person.get("/login")
    person.post("/login", {"email": made.email, "password": "wrong"})
    person.post("/login", {"email": "nobody-at-all@example.com", "password": "wrong"})
    noted = FailureLog(worker_units)
    while noted.run_once():
        pass
    for tenant in (made, other):
        (event,) = events(tenant, "sign_in.fail")
        assert event.after is not None and event.after["email"] == made.email and event.address
        assert event.actor_label == failed_sign_ins.LABEL
    assert noted.run_once() == 0


def join(there: Made, who: Made) -> None:
    """Make the owner of one tenant a member of another."""
    with there.unit(Home.ACCOUNT) as unit:
        unit.session.add(
            Membership(user_id=who.actor.id, email=who.email, name="Guest", role=Role.VIEWER, created_at=unit.now())
        )
        unit.commit()


def test_failures_are_capped(made: Made) -> None:
    """A tenant gets 60 failures an hour; the directory notes ten of one address."""
    with made.unit(Home.ACCOUNT) as unit:
        failure = failed_sign_ins.Failure(made.id, made.email, unit.now(), None, None, made.actor.id, made.id)
        written = [failed_sign_ins.record_failure(unit, replace(failure)) for _ in range(70)]
        unit.commit()
    assert written.count(True) == 60


def test_a_failure_tells_no_time(newcomer: Callable[[], Person], monkeypatch: pytest.MonkeyPatch) -> None:
    """The web writes the same for a known and for an unknown address: who has it is looked up elsewhere."""
    from app.services import accounts

    noted: list[Any] = []
    monkeypatch.setattr(accounts, "note_failure", lambda *given: noted.append(given[1]))
    person = newcomer()
    person.get("/login")
    person.post("/login", {"email": "nobody-at-all@example.com", "password": "wrong"})
    assert noted == ["nobody-at-all@example.com"]
