"""Signing in through a tenant's provider: who comes in, as whom, and how one leaves."""

import re
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from app.core.errors import FeatureMissing
from app.db.units import Home, Units
from app.models.tenants import Tenant
from app.services import connections, email_domains, lifecycles, provisioned_people, role_maps
from app.services.provisioned_people import Described, Email
from app.tenancy.actors import Actor, ActorKind
from app.tenancy.context import tenant_scope
from tests.peers import federations
from tests.peers.companies import Company
from tests.peers.federations import come_in, depart
from tests.plugins.servers import Database

STAFF = Actor(ActorKind.STAFF, None, "Sentinel staff: sam@example.com")


def test_a_new_person_comes_in_as_a_member_with_the_default_role(company: Company) -> None:
    """Who was unknown has an account with a checked address, is a viewer, and sees the tenant."""
    person, answer = company.arrive(name="ada")
    assert answer.status_code == 303 and answer.location == f"/t/{company.made.slug}/", answer.text
    page = person.get(answer.location)
    assert page.status_code == 200 and "open the link that we mailed you" not in page.text
    assert company.role_of("ada") == "viewer"


def test_a_suspended_tenants_provider_opens_nothing(company: Company) -> None:
    """Neither the way there nor the way back of somebody who had left before: nobody joins, nobody is signed in."""
    person, late = company.newcomer(), company.newcomer()
    email = f"ada@{company.domain}"
    back = company.peer.sign_in(depart(person, email), f"sub-{company.domain}", email)
    with company.made.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, company.made.id).status = "suspended"
        unit.commit()
    assert person.get(back).status_code == 403
    assert person.get(f"/t/{company.made.slug}/").location.startswith("/login")
    late.get("/sso")
    assert late.post("/sso", {"email": email}).status_code in (404, 422)
    assert [row.email for row in company.members()] == [company.made.email]


def test_the_same_subject_comes_in_as_the_same_person_under_another_address(company: Company) -> None:
    """The subject counts, not the address: a renamed person stays who they are, and no second account is made."""
    company.arrive()
    person = company.newcomer()
    answer = come_in(person, company.peer, f"sub-ada-{company.domain}", f"ada.new@{company.domain}")
    assert answer.status_code == 303
    assert [row.email for row in company.members() if row.role == "viewer"] == [f"ada@{company.domain}"]


def test_one_comes_back_to_the_page_that_was_asked_for(company: Company) -> None:
    """`next` is kept on the server; another site's address is none."""
    for wanted, expected in (("/tenants", "/tenants"), ("https://evil.example/", f"/t/{company.made.slug}/")):
        person = company.newcomer()
        url = depart(person, f"ada@{company.domain}", next=wanted)
        answer = person.get(company.peer.sign_in(url, f"sub-{company.domain}", f"ada@{company.domain}"))
        assert answer.location == expected


def test_signing_out_leads_to_the_providers_sign_out(company: Company) -> None:
    """Signed out here at once; the way out there carries the ID token as its hint and comes back to us."""
    person, _answer = company.arrive(name="ada")
    person.get(f"/t/{company.made.slug}/")
    answer = person.post("/logout")
    assert answer.status_code == 200 and "Sign out there too" in answer.text
    url = urlsplit(unescape(re.findall(r'href="(http[^"]+/leave[^"]*)"', answer.text)[0]))
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}" == company.peer.issuer
    assert asked["post_logout_redirect_uri"].endswith("/sso/signed-out") and asked["id_token_hint"].count(".") == 2
    assert person.get(f"/t/{company.made.slug}/").status_code == 303
    assert person.get("/sso/signed-out").status_code == 200


def test_without_a_place_to_sign_out_one_is_led_to_the_sign_in(company: Company) -> None:
    """A provider without `end_session_endpoint` is not asked."""
    company.peer.mischief.metadata = {"end_session_endpoint": None}
    person, _answer = company.arrive(name="ada")
    person.get(f"/t/{company.made.slug}/")
    assert person.post("/logout").location == "/login"


def test_the_id_token_is_kept_sealed(company: Company, postgres_server: Database) -> None:
    """The directory holds no token in clear."""
    company.arrive(name="ada")
    with psycopg.connect(postgres_server.superuser) as connection:
        kept = connection.execute("SELECT string_agg(encode(sealed, 'escape'), '') FROM auth.sso_sessions").fetchone()
    assert kept is not None and kept[0] and "eyJ" not in kept[0] and "id_token_hint" not in kept[0]


def test_whom_scim_has_switched_off_stays_out(company: Company) -> None:
    """Who was switched off neither comes in nor leaves a ghost; switched on again, they are who they were."""
    described = Described(f"ada@{company.domain}", emails=(Email(f"ada@{company.domain}"),))
    with company.made.unit(Home.ACCOUNT) as unit:
        person = provisioned_people.provision(unit, described)
        unit.commit()
    assert company.arrive(name="ada")[1].status_code == 303
    for active in (False, True):
        with company.made.unit(Home.ACCOUNT) as unit:
            provisioned_people.change(unit, provisioned_people.get(unit, person.id), replace(described, active=active))
            unit.commit()
        if not active:
            company.refused("switched off your access", name="ada")
    assert company.arrive(name="ada")[1].status_code == 303
    assert [row.email for row in company.members()].count(f"ada@{company.domain}") == 1


def test_a_smaller_plan_locks_nobody_out(company: Company, worker_units: Units) -> None:
    """Without single sign-on in the plan its people come in all the same; it can be given up, not changed."""
    company.arrive()
    with company.made.unit(Home.ACCOUNT) as unit:
        unproven = email_domains.add_domain(unit, federations.domain()).id
        unit.commit()
    with tenant_scope(company.made.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
        lifecycles.change_plan(unit, "free", "agreed by telephone")
        unit.commit()
    person, answer = company.arrive()
    assert answer.status_code == 303
    assert "you can read here, and change nothing" in person.get(answer.location).text
    with company.made.unit(Home.ACCOUNT) as unit:
        with pytest.raises(FeatureMissing):
            role_maps.save_roles(unit, claim="", pairs=[], default="admin")
        with pytest.raises(FeatureMissing):
            connections.require_sso(unit, on=True)
        with pytest.raises(FeatureMissing):
            email_domains.add_domain(unit, federations.domain())
        with pytest.raises(FeatureMissing):
            email_domains.request_check(unit, unproven)
        email_domains.remove_domain(unit, unproven)
        connections.switch_off(unit)


def test_a_full_plan_says_so(company: Company) -> None:
    """Whoever would be one member too many is told that the seats are used up; members still come in."""
    assert company.arrive(name="ada")[1].status_code == 303
    federations.include(company.made, "free")
    with company.made.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, company.made.id).status = "active"
        unit.commit()
    company.refused("used all seats of its plan", name="bob")
    assert company.arrive(name="ada")[1].status_code == 303


def test_a_connection_that_is_off_lets_nobody_in(company: Company) -> None:
    """Switched off, it leads nowhere, ends what it opened, and an answer on its way is refused."""
    inside, _ = company.arrive(name="ada")
    late = company.newcomer()
    back = company.peer.sign_in(depart(late, f"bob@{company.domain}"), "sub-bob", f"bob@{company.domain}")
    with company.made.unit(Home.ACCOUNT) as unit:
        connections.switch_off(unit)
        unit.commit()
    assert late.get(back).status_code == 403
    assert inside.get(f"/t/{company.made.slug}/").status_code == 303
    late.get("/sso")
    assert late.post("/sso", {"email": f"bob@{company.domain}"}).status_code == 422
