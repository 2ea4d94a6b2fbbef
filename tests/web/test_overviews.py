"""The overview on the real database: new, at work, near a limit, and as each role sees it."""

import re
from collections.abc import Callable
from html import unescape

from app.core.permissions import Role
from app.db.units import Home, Units
from app.scanners.probes import Fault
from app.services import findings, quotas, scans
from app.services.plan_overrides import Wanted, override
from app.services.plans import Quota
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers.members import make_member
from tests.peers.tenants import Made, make_tenant
from tests.peers.visitors import Person
from tests.services.test_attentions import document

FAULT = Fault("rule", "Bad <b>thing</b>", "critical", "seen", "Mend it.", "here")


def at_work(units: Units) -> Made:
    """A tenant with a scan that found something critical and something low, and one that waits."""
    made = make_tenant(units)
    letter = document(made, "Letter")
    with made.unit() as unit:
        scan = scans.start_scan(unit, letter, tool="text")
        findings.record_faults(unit, scan, [FAULT, Fault("other", "Small", "low", "seen", "Mend it.", "there")])
        unit.commit()
    return made


def linked(text: str, title: str) -> str:
    """Return the address of the button beside the matter with this title."""
    found = re.search(rf'{title}.*?class="btn btn-plain" href="([^"]+)"', text, re.DOTALL)
    assert found is not None, title
    return unescape(found.group(1))


def test_an_empty_tenant_is_shown_its_first_steps(person: Person) -> None:
    """No chart without data, nothing that needs attention, nothing that asks again and again."""
    text = person.get(person.at("/")).text
    assert "Next steps" in text and "Nothing scanned yet" in text and "Usage against plan" in text
    assert "What needs attention" not in text and "over time" not in text and "data-live" not in text


def test_numbers_lead_to_their_rows(units: Units, newcomer: Callable[[], Person]) -> None:
    """What needs attention, what is open and each bar open lists of just as many rows."""
    made = at_work(units)
    owner = newcomer().sign_in(made)
    text = owner.get(owner.at("/")).text
    assert "1 new critical finding" in text and "Bad <b>" not in text
    assert "1 critical, 1 low" in text  # the last bar in words
    rows = owner.get(linked(text, "1 new critical finding")).text
    assert rows.count("data-row-link") == 1 and "Bad &lt;b&gt;" in rows
    bar = unescape(re.findall(r'<a href="([^"]+)"><title>', text)[-1])
    assert owner.get(bar).text.count("data-row-link") == 2
    weeks = owner.get(owner.at("/?days=90")).text
    bar = unescape(re.findall(r'<a href="([^"]+)"><title>', weeks)[-1])
    assert "since=" in bar and owner.get(bar).text.count("data-row-link") == 2
    assert owner.get(owner.at("/?days=oops")).status_code == 200
    assert "over time" not in owner.get(owner.at(f"/?workspace_id={document(made, 'Memo')}")).text


def test_the_scans_move_by_themselves_while_one_waits(units: Units, newcomer: Callable[[], Person]) -> None:
    """The fragment says nothing new with 304, and asks no more once nothing runs."""
    made = at_work(units)
    owner = newcomer().sign_in(made)
    assert "data-live" in owner.get(owner.at("/")).text
    first = owner.get(owner.at("/overview/scans"))
    again = owner.get(owner.at("/overview/scans"), headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    with made.unit() as unit:
        scans.cancel_scan(unit, scans.list_scans(unit).rows[0].id)
        unit.commit()
    assert "data-live" not in owner.get(owner.at("/overview/scans")).text


def test_a_quota_near_its_end_is_said_to_who_can_do_something(
    units: Units, worker_units: Units, newcomer: Callable[[], Person]
) -> None:
    """The owner is told and led to the plan; the viewer sees the bar, and nothing to do."""
    made = make_tenant(units)
    with tenant_scope(made.id), worker_units.open(Home.ACCOUNT, system_actor("staff tests")) as unit:
        override(unit, Wanted("quota", "texts", 20, "testing"))
        unit.commit()
    with made.unit() as unit:
        quotas.consume(unit, Quota.TEXTS, 19)
        unit.commit()
    text = newcomer().sign_in(made).get(f"/t/{made.slug}/").text
    assert "Texts checked a month: 95 % used" in text and linked(text, "95 % used").endswith("/plan")
    viewer = newcomer().sign_in(make_member(made, Role.VIEWER)).get(f"/t/{made.slug}/").text
    assert "At risk" in viewer and "What needs attention" not in viewer and "95 % used" not in viewer
