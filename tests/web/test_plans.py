"""Plan and usage without scripts: seen, compared, asked for, refused, and told by mail."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.core.permissions import Role
from app.core.settings import settings
from app.db.units import Home, Units
from app.models.plans import PlanRequest
from app.models.tenants import Tenant
from app.outbox.relay import Relay
from app.services import audit, plan_requests, plans, quotas
from app.services.effects import plan_notices, quota_warnings
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers.letters import Letters, text_of
from tests.peers.members import make_member
from tests.peers.programs import issue
from tests.peers.tenants import Made
from tests.peers.visitors import Person
from tests.services.test_plans import override
from tests.services.test_quotas import start

STAFF = system_actor("staff sam@example.com")


@pytest.fixture
def owner(app: Flask, tenant: Made) -> Person:
    """The tenant's owner at a browser."""
    return Person(app, settings().base_url.replace("http://", "https://")).sign_in(tenant)


@pytest.fixture
def deliver(worker_units: Units, letters: Letters) -> Callable[[], Letters]:
    """Does what the worker does: effects, then mail."""

    def done() -> Letters:
        handlers = {"plan.notice": plan_notices(worker_units), "quota.warning": quota_warnings(worker_units)}
        relay = Relay(worker_units, handlers, listen_url=None)
        while relay.run_once():
            pass
        letters.send()
        return letters

    return done


def test_the_page_shows_what_is_used_and_opens_its_rows(owner: Person, tenant: Made, worker_units: Units) -> None:
    """Each measured quota has its number, bound and per cent; what nothing measures says so instead of a number."""
    override(tenant, worker_units, "quota", "scans", 2)
    start(tenant), start(tenant)
    page = owner.get(owner.at("/plan"))
    assert page.status_code == 200 and "Professional" in page.text
    assert "Not measured yet" in page.text and "LLM tokens a month" in page.text
    assert re.search(r'Scans a month: 100 %"', page.text) and "At risk" in page.text
    assert "over 90 % used" in page.text and "agreed by mail" in page.text
    rows = owner.get(owner.at("/plan/scans"))
    assert rows.text.count("data-row-link") == 2


def test_over_quota_a_page_names_quota_used_limit_and_reset(owner: Person, tenant: Made, worker_units: Units) -> None:
    """The refusal of a form is a page with the way to more; nothing of it is kept."""
    override(tenant, worker_units, "quota", "scans", 1)
    start(tenant)
    owner.get(owner.at("/documents/new"))
    answer = owner.post(owner.at("/documents"), {"name": "Letter", "text": "hello"})
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    assert "Scans a month: nothing left" in answer.text and ", 00:00 UTC" in answer.text
    assert f"/t/{tenant.slug}/plan" in answer.text
    override(tenant, worker_units, "quota", "scans", 2)
    assert owner.post(owner.at("/documents"), {"name": "Letter", "text": "hello"}).status_code == 303


def test_owners_are_warned_once_at_each_level(
    owner: Person, tenant: Made, worker_units: Units, deliver: Callable[[], Letters]
) -> None:
    """At 80 and at 100 per cent the owners get one mail each, however often the level is reached again."""
    override(tenant, worker_units, "quota", "scans", 5)
    for _ in range(5):
        start(tenant)
    subjects = [message["Subject"] for message in deliver().to(tenant.email) if "used" in str(message["Subject"])]
    assert subjects == ["Acme: 80 % of scans a month used", "Acme: 100 % of scans a month used"]
    override(tenant, worker_units, "quota", "scans", 10)
    for _ in range(3):
        start(tenant)
    assert len([m for m in deliver().to(tenant.email) if "used" in str(m["Subject"])]) == 2
    words = text_of(deliver().last(tenant.email))
    assert "5 of 5" in words and f"/t/{tenant.slug}/plan" in words and "UTC" in words


def test_a_plan_is_asked_for_withdrawn_and_approved(
    owner: Person, tenant: Made, worker_units: Units, deliver: Callable[[], Letters]
) -> None:
    """A request is shown as pending, can be taken back, and changes the plan when staff approve it; all on record."""
    assert "your plan" in owner.get(owner.at("/plan/comparison")).text
    asking = owner.get(owner.at("/plan/request?plan=enterprise"))
    assert "All that you use now fits" in asking.text and "Audit events" not in asking.text
    assert "Audit events are kept for 30 days, 365 now" in owner.get(owner.at("/plan/request?plan=free")).text
    assert owner.post(owner.at("/plan/request"), {"plan": "enterprise", "note": "SSO"}).status_code == 303
    page = owner.get(owner.at("/plan"))
    assert "Enterprise is asked for" in page.text
    again = owner.post(owner.at("/plan/request"), {"plan": "custom", "note": ""})
    assert again.status_code == 409 and "is asked for" in again.text
    withdrawal = re.search(r'action="([^"]+/withdrawal)"', page.text)
    assert withdrawal and owner.post(withdrawal.group(1)).status_code == 303
    assert owner.post(withdrawal.group(1)).status_code == 409
    owner.post(owner.at("/plan/request"), {"plan": "enterprise", "note": ""})
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
        waiting = unit.session.scalars(select(PlanRequest)).all()
        made = next(row for row in waiting if row.status == "pending")
        plan_requests.decide_request(unit, made.id, approve=True, answer="Welcome.")
        unit.commit()
    with tenant.unit(Home.ACCOUNT) as unit:
        held = unit.session.get_one(Tenant, tenant.id)
        assert (held.plan, held.status, held.trial_ends_at) == ("enterprise", "active", None)
        assert plans.entitlements(unit).plan is plans.PlanName.ENTERPRISE
        actions = [event.action for event in audit.list_events(unit).rows if event.action.startswith("plan.")]
        assert actions == ["plan.approve", "plan.request", "plan.withdraw", "plan.request"]
    subjects = [str(message["Subject"]) for message in deliver().to(tenant.email)]
    assert [each for each in subjects if "Enterprise" in each] == [
        "Acme: Enterprise was asked for",
        "Acme: Enterprise is no longer asked for",
        "Acme: Enterprise was asked for",
        "Acme: the plan is now Enterprise",
    ]


def test_a_smaller_plan_says_what_it_would_exceed(owner: Person, tenant: Made) -> None:
    """Before a downgrade is asked for, what is used beyond it and what it leaves out is listed."""
    with tenant.unit() as unit:
        quotas.consume(unit, plans.Quota.SCANS, 250)
        unit.commit()
    page = owner.get(owner.at("/plan/request?plan=free"))
    assert "Free allows less than you use" in page.text
    assert "Scans a month: 250 used, 100 allowed" in page.text
    assert "Export of the audit log is not part of it" in page.text


def test_what_is_beyond_the_plan_is_listed_with_the_way_out(
    app: Flask, owner: Person, tenant: Made, worker_units: Units
) -> None:
    """The owner sees what is read-only, why those, and the page of each; whoever is read-only sees why everywhere."""
    guest, key_id = make_member(tenant, Role.ADMIN), issue(tenant, "tenant:scans:read", name="Nightly")[0]
    assert "Beyond your plan" not in owner.get(owner.at("/plan")).text
    for name, value in (("seats", 1), ("api_keys", 0)):
        override(tenant, worker_units, "quota", name, value)
    page = owner.get(owner.at("/plan")).text
    assert "Beyond your plan" in page and "Seats: 2, and the plan allows 1" in page
    assert guest.email in page and f"/keys/{key_id}" in page and "Nightly" in page
    assert "Read-only" in owner.get(owner.at("/people")).text and "Read-only" in owner.get(owner.at("/keys")).text
    person = Person(app, owner.base_url).sign_in(guest)
    seen = person.get(person.at("/plan")).text
    assert "Your seat is beyond the plan" in seen and "1 read-only." in seen and "Nightly" not in seen
    refused = person.get(person.at("/keys"))
    assert refused.status_code == 403 and "Your seat in this tenant is beyond its plan" in refused.text


def test_the_last_week_of_a_trial_says_what_free_has_no_room_for(owner: Person, tenant: Made) -> None:
    """In the last seven days each page says when it ends and what becomes read-only, and leads to the comparison."""
    make_member(tenant)
    assert "The trial ends" not in owner.get(owner.at("/assets")).text
    with tenant.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, tenant.id).trial_ends_at = unit.now() + timedelta(days=4, hours=1)
        unit.commit()
    page = owner.get(owner.at("/assets")).text
    assert "in 5 days" in page and "Seats 2 of 1" in page and f"/t/{tenant.slug}/plan/comparison" in page


@pytest.mark.parametrize("plan", ["professional", "pro", "gold"])
def test_the_present_or_no_plan_is_not_asked_for(plan: str, owner: Person) -> None:
    """What cannot be asked for is refused and makes no request."""
    owner.get(owner.at("/plan/request?plan=free"))
    assert owner.post(owner.at("/plan/request"), {"plan": plan, "note": ""}).status_code in (404, 422)
    assert "is asked for" not in owner.get(owner.at("/plan")).text
