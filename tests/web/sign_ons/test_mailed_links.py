"""Linking an account to a provider's sign-in by a mail: for this subject, in this browser, once."""

from pathlib import Path

import psycopg
import pytest

from app.db.units import Home, Units
from app.models.tenants import Tenant
from app.services import audit
from tests.peers.apps import add_app
from tests.peers.companies import Company
from tests.peers.federations import come_in, mailed_link
from tests.peers.letters import Letters
from tests.peers.tenants import Made, make_tenant
from tests.peers.visitors import Person
from tests.plugins.servers import Database


@pytest.fixture
def account(company: Company) -> Made:
    """Somebody with an address in the company's domain, and an account with a tenant of their own."""
    return make_tenant(company.made.units, email=f"ada@{company.domain}")


def arrive(company: Company, name: str = "ada", subject: str = "ada") -> Person:
    """Come back from the provider, to be asked whose account it is."""
    person = company.newcomer().moved()
    answer = come_in(person, company.peer, f"sub-{subject}-{company.domain}", f"{name}@{company.domain}")
    assert answer.location == "/sso/link", answer.text
    return person


def opens(person: Person, company: Company) -> bool:
    """Whether the person is in the company's tenant."""
    return person.get(f"/t/{company.made.slug}/").status_code == 200


def test_the_mailed_link_links_and_signs_in(
    company: Company, account: Made, worker_units: Units, tmp_path: Path
) -> None:
    """Looking changes nothing; the button links for good, is told by mail and on record, and ends no other session."""
    elsewhere = company.newcomer().moved().sign_in(account)
    person = arrive(company)
    path = mailed_link(person, worker_units, account.email)
    assert "Link and sign in" in person.get(path).text and not opens(person, company)
    assert person.post(path).location == f"/t/{company.made.slug}/"
    assert opens(person, company) and elsewhere.get(f"/t/{account.slug}/").status_code == 200
    assert person.get(f"/t/{account.slug}/").status_code == 403  # the provider opens its own tenant alone
    subjects = [message["Subject"] for message in Letters(worker_units, tmp_path).to(account.email)]
    assert "A company's sign-in opens your account" in subjects
    for made in (company.made, account):
        with made.unit(Home.ACCOUNT) as unit:
            assert "identity.link" in [event.action for event in audit.list_events(unit).rows]
    assert company.arrive(name="ada")[1].location == f"/t/{company.made.slug}/"


def test_it_works_once(company: Company, account: Made, worker_units: Units) -> None:
    """A link that was used opens nothing again, in this browser or another."""
    person = arrive(company)
    path = mailed_link(person, worker_units, account.email)
    person.get(path)
    assert person.post(path).status_code == 303
    for browser in (person, company.newcomer()):
        assert browser.get(path).status_code == 403 and "was used already" in browser.get(path).text


def test_another_browser_gets_nowhere(company: Company, account: Made, worker_units: Units) -> None:
    """Whoever had it sent does not get in by a victim's click, and a victim's click signs nobody in."""
    attacker, victim = arrive(company), company.newcomer()
    path = mailed_link(attacker, worker_units, account.email)
    assert victim.get(path).status_code == 403
    victim.get("/login")
    assert victim.post(path).status_code == 403
    assert not opens(attacker, company) and not opens(victim, company)


def test_a_mail_for_one_subject_links_no_other(company: Company, account: Made, worker_units: Units) -> None:
    """Two sign-ins that wait for the same account: each is confirmed by its own mail, and by the last one asked for."""
    evil, good = arrive(company, subject="evil"), arrive(company)
    for_evil = mailed_link(evil, worker_units, account.email)
    assert good.get(for_evil).status_code in (200, 403)
    assert good.post(for_evil).status_code == 403
    first = mailed_link(good, worker_units, account.email)
    second = mailed_link(good, worker_units, account.email)
    good.get(second)
    assert good.post(first).status_code == 403
    good.get(second)
    assert good.post(second).status_code == 303
    assert company.arrive(name="ada")[1].location == f"/t/{company.made.slug}/"


def test_an_old_one_opens_nothing(
    company: Company, account: Made, worker_units: Units, postgres_server: Database
) -> None:
    """After 15 minutes it is over."""
    person = arrive(company)
    path = mailed_link(person, worker_units, account.email)
    person.get(path)
    with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
        connection.execute("UPDATE auth.tokens SET expires_at = now() WHERE email = %s", [account.email])
    assert person.post(path).status_code == 403 and not opens(person, company)


def test_an_address_that_nobody_confirmed_is_not_linked(company: Company, worker_units: Units, tmp_path: Path) -> None:
    """Whoever signed up with another's address shares no account: its holder is mailed the way to a new password."""
    squatted = make_tenant(company.made.units, email=f"ada@{company.domain}", verified=False)
    person = arrive(company)
    person.get("/sso/link")
    assert person.post("/sso/link/mail").location == "/sso/link"
    assert "We mailed you a link" in person.get("/sso/link").text
    path = Letters(worker_units, tmp_path).link(squatted.email)
    assert path.startswith("/reset/")
    assert person.get(path.replace("/reset/", "/sso-link/")).status_code == 403


@pytest.mark.parametrize("by", ["mail", "password"])
def test_whoever_has_a_second_factor_shows_it(company: Company, account: Made, worker_units: Units, by: str) -> None:
    """Neither mailbox nor password alone hands an account with a second factor to a provider."""
    authenticator, _codes = add_app(company.made.units, account)
    person = arrive(company)
    path = mailed_link(person, worker_units, account.email) if by == "mail" else "/sso/link"
    form = {} if by == "mail" else {"password": account.password}
    person.get(path)
    for code in ("", "000000"):
        assert person.post(path, {**form, "code": code}).status_code == 422 and not opens(person, company)
    code = authenticator.code(company.made.units.clock.now())
    assert person.post(path, {**form, "code": code}).location == f"/t/{company.made.slug}/"
    assert opens(person, company)


def test_without_a_sign_in_that_waits_nothing_is_mailed(company: Company, account: Made) -> None:
    """Whoever did not come back from a provider learns nothing of an address, and has nothing sent."""
    person = company.newcomer().moved()
    person.get("/login")
    answer = person.post("/sso/link/mail", {"email": account.email})
    assert answer.status_code == 403 and account.email not in answer.text


def test_mails_are_few(company: Company, account: Made) -> None:
    """An address gets three such mails an hour."""
    person = arrive(company)
    person.get("/sso/link")
    pages = []
    for _ in range(4):
        person.post("/sso/link/mail")
        pages.append(person.get("/sso/link").text)
    assert "We mailed you a link" in pages[2] and "several such mails" in pages[3]


def test_a_suspended_tenants_link_leads_nowhere(company: Company, account: Made, worker_units: Units) -> None:
    """A mail that was asked for before makes nobody a member and signs nobody in."""
    person = arrive(company)
    path = mailed_link(person, worker_units, account.email)
    person.get(path)
    with company.made.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, company.made.id).status = "suspended"
        unit.commit()
    assert person.post(path).status_code == 404 and not opens(person, company)
    assert [row.email for row in company.members()] == [company.made.email]
