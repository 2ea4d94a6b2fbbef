"""Whose account a tenant's provider opens: domains, links by the password, and what it never reaches."""

from collections.abc import Callable

from flask import Flask

from app.core.permissions import Role
from app.db.units import Home, Units
from app.services import email_domains, memberships
from tests.peers import federations
from tests.peers.companies import Company
from tests.peers.federations import come_in, connect, depart
from tests.peers.tenants import Made, make_tenant


def test_an_address_outside_the_proven_domains_is_refused(company: Company) -> None:
    """A provider's administrator can mint any address; only those in proven domains come in."""
    person = company.newcomer()
    url = depart(person, f"ada@{company.domain}")
    answer = person.get(company.peer.sign_in(url, "sub-x", "ada@elsewhere.example"))
    assert answer.status_code == 403 and "outside the e-mail domains" in answer.text


def test_a_subdomain_of_a_proven_domain_is_outside_it(company: Company) -> None:
    """Domains match whole."""
    person = company.newcomer()
    url = depart(person, f"ada@{company.domain}")
    answer = person.get(company.peer.sign_in(url, "sub-x", f"ada@sub.{company.domain}"))
    assert answer.status_code == 403 and "outside the e-mail domains" in answer.text


def test_a_domain_that_is_not_proven_leads_nowhere(company: Company) -> None:
    """Adding a domain routes nobody."""
    other = federations.domain()
    with company.made.unit(Home.ACCOUNT) as unit:
        email_domains.add_domain(unit, other)
        unit.commit()
    person = company.newcomer()
    person.get("/sso")
    answer = person.post("/sso", {"email": f"ada@{other}"})
    assert answer.status_code == 422 and "No company signs in" in answer.text


def test_a_domain_belongs_to_one_tenant(company: Company, tenants: Callable[[], Made], worker_units: Units) -> None:
    """Another tenant that finds the record too does not get the domain, and is told so."""
    other = tenants()
    domain_id = federations.prove(other, worker_units, company.domain)
    with other.unit(Home.ACCOUNT) as unit:
        found = email_domains.get_domain(unit, domain_id)
        assert found.verified_at is None and "another tenant" in found.attempts[0]["status"]
    assert company.arrive()[1].location == f"/t/{company.made.slug}/"


def test_a_subject_that_is_linked_elsewhere_stays_there(
    company: Company, tenants: Callable[[], Made], worker_units: Units
) -> None:
    """A subject opens the account that it was linked to first, and is not drawn into another tenant by a word alone."""
    company.arrive(name="ada")
    other = tenants()
    domain = federations.domain()
    connect(other, worker_units, company.peer, domain)
    person = company.newcomer()
    answer = come_in(person, company.peer, f"sub-ada-{company.domain}", f"ada@{domain}")
    assert answer.location == "/sso/link"
    page = person.get("/sso/link")
    assert f"ada@{company.domain}" in page.text and "has an account here already" in page.text
    assert person.get(f"/t/{other.slug}/").status_code == 303


def test_a_strangers_account_is_not_taken_over_by_its_address(
    company: Company, tenants: Callable[[], Made], worker_units: Units
) -> None:
    """GHSA-h8m9-jgf8-vwvp: a provider of one's own that vouches for another tenant's person opens nothing."""
    victim = tenants()
    person = company.newcomer()
    url = depart(person, f"eve@{company.domain}")
    answer = person.get(company.peer.sign_in(url, "sub-evil", victim.email))
    assert answer.status_code == 403 and "outside the e-mail domains" in answer.text
    assert [person.get(f"/t/{made.slug}/").status_code for made in (victim, company.made)] == [303, 303]


def test_an_account_of_the_domain_is_linked_by_its_password_once(
    app: Flask, company: Company, tenants: Callable[[], Made], worker_units: Units
) -> None:
    """Whoever has an account elsewhere shows its password once; a wrong one is counted; then the provider opens it."""
    other = make_tenant(company.made.units, email=f"ada@{company.domain}")
    person, answer = company.arrive(name="ada")
    assert answer.location == "/sso/link"
    person.get("/sso/link")
    wrong = person.post("/sso/link", {"password": "not it"})
    assert wrong.status_code == 422 and "is wrong" in wrong.text
    assert person.post("/sso/link", {"password": other.password}).location == f"/t/{company.made.slug}/"
    assert company.role_of("ada") == "viewer"
    assert company.arrive(name="ada")[1].location == f"/t/{company.made.slug}/"


def test_the_session_that_a_provider_opened_opens_its_tenant_alone(company: Company, worker_units: Units) -> None:
    """The administrator of one tenant's provider does not come into another tenant of the same person."""
    other = make_tenant(company.made.units, email=f"ada@{company.domain}")
    person, _answer = company.arrive(name="ada")
    person.get("/sso/link")
    person.post("/sso/link", {"password": other.password})
    assert person.get(f"/t/{company.made.slug}/").status_code == 200
    refused = person.get(f"/t/{other.slug}/")
    assert refused.status_code == 403 and "Sign in with your own password" in refused.text


def test_a_provider_alone_adds_no_factor_to_a_persons_account(company: Company) -> None:
    """Whoever looks after the provider cannot enrol a key of their own on the account; the password is asked for."""
    person, _answer = company.arrive(name="ada")
    answer = person.get("/account/authenticator")
    assert answer.status_code == 303 and "/account/confirmation" in answer.location


def test_an_owners_account_is_not_the_providers_to_open(company: Company, tenants: Callable[[], Made]) -> None:
    """An owner's account is linked by its password alone, though the owner is a member with such an address."""
    owner = make_tenant(company.made.units, email=f"olga@{company.domain}", verified=True)
    with owner.unit(Home.ACCOUNT) as unit:
        user_id = unit.actor.id
    assert user_id is not None
    with company.made.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, user_id, owner.email, "Olga", Role.OWNER, source="invitation")
        unit.commit()
    assert company.arrive(name="olga")[1].location == "/sso/link"


def test_a_member_with_a_checked_address_is_linked_at_once(company: Company) -> None:
    """A member whose address is checked and in the domain comes in without a password, as who they are."""
    known = make_tenant(company.made.units, email=f"mia@{company.domain}", verified=True)
    user_id = known.actor.id
    assert user_id is not None
    with company.made.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, user_id, known.email, "Mia", Role.OPERATOR, source="invitation")
        unit.commit()
    _person, answer = company.arrive(name="mia")
    assert answer.location == f"/t/{company.made.slug}/"
    assert company.role_of("mia") == "operator"
