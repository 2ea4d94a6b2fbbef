"""The list of tenants and the page of one: what they are, how busy, how much of their plan they use."""

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.db import oversight
from app.db import staff as directory
from app.db.engines import NOBODY
from app.db.oversight import TenantRow
from app.db.units import Home, Units
from app.platform import pages
from app.services import audit_seals, censuses
from app.services.plan_overrides import Wanted, override
from app.services.plans import Quota
from app.services.quotas import consume
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers.staff import StaffMember
from tests.peers.tenants import Made, make_tenant


def use_texts(made: Made, number: int) -> None:
    """Use up so many of the month's texts."""
    with made.unit() as unit:
        consume(unit, Quota.TEXTS, number)
        unit.commit()


def agree_on_texts(made: Made, worker_units: Units, number: int) -> None:
    """Agree on so many texts a month, as staff do."""
    with tenant_scope(made.id), worker_units.open(Home.ACCOUNT, system_actor("staff tests")) as unit:
        override(unit, Wanted("quota", "texts", number, "for a test"))
        unit.commit()


def is_due(made: Made, worker_units: Units, fresh: timedelta = timedelta(0)) -> bool:
    """Tell whether the census would count the tenant now; nothing is taken."""
    session = worker_units.start(worker_units.engines.control, NOBODY)
    try:
        due = directory.claim_counts(session, 10**6, lease=timedelta(1), fresh=fresh, old=timedelta(hours=1))
        return made.id in due
    finally:
        session.close()


def test_use_is_counted_and_shown(
    member: StaffMember, tenant: Made, platform_units: Units, worker_units: Units
) -> None:
    """The largest share stands in the list with its age; above 90 per cent the tenant is at risk."""
    address = f"/tenants?search={tenant.slug}"
    assert "Not counted yet" in member.get(f"/tenants/{tenant.id}").text
    agree_on_texts(tenant, worker_units, 100)
    use_texts(tenant, 90)
    censuses.count_tenant(worker_units, tenant.id)
    listed = member.get(address).text
    assert "Texts checked a month: 90 %" in listed
    assert "as of" in listed
    assert "At risk" not in listed
    assert "No tenant like that" in member.get(f"{address}&risk=1").text
    use_texts(tenant, 1)
    censuses.count_tenant(worker_units, tenant.id)
    assert "At risk" in member.get(f"{address}&risk=1").text
    with platform_units.identify() as door:
        counted = oversight.usage(door.session, tenant.id)
    assert counted is not None
    assert {key for line in counted.lines for key in line} == {
        "quota",
        "used",
        "limit",
        "agreed",
    }  # no name
    page = member.get(f"/tenants/{tenant.id}").text
    assert "As of" in page
    assert re.search(r"Texts checked a month</strong> <span[^>]*>agreed", page)


def test_a_tenant_is_counted_anew_when_something_happened(tenant: Made, worker_units: Units) -> None:
    """A new one is due; one that was counted is due again when something of it was sealed, or after an hour."""
    assert is_due(tenant, worker_units)
    censuses.count_tenant(worker_units, tenant.id)
    assert not is_due(tenant, worker_units)
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, censuses.CENSUS) as unit:
        assert audit_seals.seal_log(unit, Ed25519PrivateKey.generate()) > 0
        unit.commit()
    assert is_due(tenant, worker_units)
    assert not is_due(tenant, worker_units, fresh=timedelta(minutes=1))
    session = worker_units.start(worker_units.engines.control, NOBODY)
    with pytest.raises(Exception, match="permission denied"):
        directory.disable(session, "the worker may not")
    session.close()


def test_pages_go_on_and_keep_the_filters(member: StaffMember, units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tenant that fits stands on one page, in the order of the names; the count is over all of them."""
    monkeypatch.setattr(pages, "SIZE", 2)
    mark = secrets.token_hex(4)
    made = [make_tenant(units, f"{mark} {name}") for name in ("C", "A", "A")]
    address, seen = f"/tenants?search={mark}+&status=trial&level=row&ending=", []
    answer = member.get(address).text
    assert "2 of 3 tenants" in answer
    while True:
        seen += re.findall(r'data-row-link href="/tenants/([0-9a-f-]+)"', answer)
        more = re.search(r'rel="next" href="([^"]+)"', answer)
        if more is None:
            break
        answer = member.get(unescape(more.group(1))).text
        assert f"search={mark}" in unescape(more.group(1))
    assert seen == [*sorted(str(each.id) for each in made[1:]), str(made[0].id)]
    assert "First" in answer
    for nothing in ("ending=7", "level=database", "plan=free"):
        assert "No tenant like that" in member.get(f"/tenants?search={mark}&{nothing}").text
    assert member.get("/tenants?after=a&after_id=nonsense&ending=99&level=x&risk=2").status_code == 200


def test_a_full_page_is_below_60_kb(member: StaffMember, tenant: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where each tenant has a long name, a trial, and a quota at risk."""
    moment = datetime(2026, 10, 1, 12, tzinfo=UTC)

    def full(read: Callable[..., list[TenantRow]], *given: Any, **more: Any) -> list[TenantRow]:
        row = read(*given)[0]
        row = replace(row, name="Harbour " * 5, slug="harbour-" * 5, trial_ends_at=moment, active_at=moment)
        return [replace(row, quota="scans", percent=99, at_risk=True, counted_at=moment)] * more["most"]

    monkeypatch.setattr(oversight, "tenants", partial(full, oversight.tenants))
    page = member.get("/tenants")
    assert page.text.count("data-row-link") == pages.SIZE
    assert len(page.data) < 60_000


def test_another_plan_says_what_it_would_leave(member: StaffMember, tenant: Made, worker_units: Units) -> None:
    """Before it is ordered the page names what each plan would exceed and leave out; what was agreed on stays."""
    page = f"/tenants/{tenant.id}/plan"
    assert "not counted yet" in member.get(page).text
    use_texts(tenant, 12_000)
    censuses.count_tenant(worker_units, tenant.id)
    told = re.sub(r"<[^>]+>|\s+", " ", member.get(page).text)
    assert re.search(r"Free\s+Exceeded: texts checked a month\s+12,000 of", told)
    assert re.search(r"Enterprise\s+Nothing is exceeded", told)
    assert "Leaves out:" in told
    agree_on_texts(tenant, worker_units, 20_000)
    assert "Exceeded" not in member.get(page).text
