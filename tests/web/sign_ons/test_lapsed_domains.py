"""What the people of a company see whose e-mail domain is proven no longer."""

from datetime import timedelta

from sqlalchemy import update

from app.core.clock import SystemClock
from app.db.units import Home
from app.models.connections import EmailDomain
from app.models.tenants import TenantPolicy
from tests.peers.companies import Company


def _set(company: Company, **values: object) -> None:
    with company.made.unit(Home.ACCOUNT) as unit:
        unit.session.execute(update(EmailDomain).values(**values))
        unit.commit()


def test_it_routes_no_new_sign_in(company: Company) -> None:
    """The way there is closed, and the way back for whoever had left before; a session that is open goes on."""
    inside, _answer = company.arrive(name="ada")
    late = company.newcomer()
    late.get("/sso")
    _set(company, verified_at=None, lapsed_at=SystemClock().now())
    answer = late.post("/sso", {"email": f"bob@{company.domain}"})
    assert answer.status_code == 422 and "No company signs in" in answer.text
    assert inside.get(f"/t/{company.made.slug}/").status_code == 200


def test_owners_have_a_way_back(company: Company) -> None:
    """Where single sign-on is required too, an owner comes in by password and second factor, and sees what is wrong."""
    with company.made.unit(Home.ACCOUNT) as unit:
        unit.session.add(TenantPolicy(sso_required=True))
        unit.commit()
    now = SystemClock().now()
    _set(company, verified_at=None, lapsed_at=now)
    owner = company.newcomer().moved().sign_in(company.made)
    led = owner.get(f"/t/{company.made.slug}/sign-in/domains")
    assert led.status_code == 303 and "wanted=factor" in led.location


def test_the_page_shows_the_last_look_and_the_state(company: Company) -> None:
    """Proven, missing since, lapsed: each with what follows from it and a button to look now."""
    owner = company.newcomer().moved().sign_in(company.made)
    now = SystemClock().now()
    where = f"/t/{company.made.slug}/sign-in/domains"
    page = owner.get(where).text
    assert "about once a day" in page and "Check now" in page and "Checked" in page
    _set(company, missing_since=now - timedelta(days=4))
    page = owner.get(where).text
    assert "Missing" in page and "Put it back" in page and "sentinel-verification=" in page
    _set(company, missing_since=None, verified_at=None, lapsed_at=now)
    page = owner.get(where).text
    assert "Lapsed" in page and "the record was away for two weeks" in page and "Check now" in page
