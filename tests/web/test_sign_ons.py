"""Signing in through a tenant's provider: who comes in, as whom, and what is refused."""

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from html import unescape
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from flask import Flask
from joserfc.jwk import ECKey, OKPKey, RSAKey
from werkzeug.test import TestResponse

from app.core.errors import FeatureMissing
from app.core.permissions import Role
from app.db.units import Home, Units
from app.models.tenants import Tenant
from app.services import connections, email_domains, lifecycles, memberships, provisioned_people, role_maps
from app.services.provisioned_people import Described, Email
from app.tenancy.actors import Actor, ActorKind
from app.tenancy.context import tenant_scope
from tests.peers import federations
from tests.peers.federations import come_in, connect, depart
from tests.peers.openid import OpenIdPeer, unsigned, with_key, with_public_key_as_secret
from tests.peers.tenants import Made, make_tenant
from tests.peers.visitors import Person
from tests.plugins.servers import Database

STAFF = Actor(ActorKind.STAFF, None, "Sentinel staff: sam@example.com")


@pytest.fixture
def variables(variables: dict[str, str], provider: OpenIdPeer) -> dict[str, str]:
    """The settings, with a provider on loopback allowed by its exact address and port."""
    return {**variables, "OUTBOUND_ALLOWED": provider.address}


@dataclass
class Company:
    """A tenant with its provider, and people who come in by it."""

    made: Made
    peer: OpenIdPeer
    domain: str
    connection_id: object
    newcomer: Callable[[], Person]

    def arrive(self, name: str = "ada", **claims: object) -> tuple[Person, TestResponse]:
        """Somebody of the company signs in; the person and the answer to the way back."""
        person = self.newcomer()
        return person, come_in(person, self.peer, f"sub-{name}-{self.domain}", f"{name}@{self.domain}", **claims)

    def refused(self, reason: str, name: str = "ada", **claims: object) -> None:
        """Somebody is refused with this reason, and nobody is signed in."""
        person, answer = self.arrive(name, **claims)
        assert answer.status_code == 403 and reason in answer.text, answer.text
        assert person.get(f"/t/{self.made.slug}/").status_code == 303
        assert all(row.email != f"{name}@{self.domain}" for row in self.members())

    def members(self) -> list[memberships.Membership]:
        """The members as they stand."""
        with self.made.unit(Home.ACCOUNT) as unit:
            return memberships.list_members(unit).rows

    def role_of(self, name: str) -> str:
        """The role of somebody of the company."""
        return next(row.role for row in self.members() if row.email == f"{name}@{self.domain}")


@pytest.fixture
def company(
    app: Flask, tenant: Made, worker_units: Units, provider: OpenIdPeer, newcomer: Callable[[], Person]
) -> Company:
    """A tenant whose people sign in through the provider."""
    domain = federations.domain()
    return Company(tenant, provider, domain, connect(tenant, worker_units, provider, domain), newcomer)


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


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "PS256"])
def test_each_algorithm_of_the_list_is_believed(company: Company, alg: str) -> None:
    """Elliptic curves and PSS serve as well as RSA."""
    keys = {"ES256": ECKey.generate_key("P-256", {"kid": "k1"}), "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "k1"})}
    company.peer.key, company.peer.alg = keys.get(alg, company.peer.key), alg
    assert company.arrive()[1].status_code == 303


def test_a_rotated_key_is_fetched_and_believed(app: Flask, company: Company) -> None:
    """A key that is not known has the set fetched anew, at most every ten seconds, whoever asks how often."""
    company.arrive(name="ada")
    providers = app.extensions["sentinel"].providers
    company.peer.key = RSAKey.generate_key(2048, {"kid": "k2"})
    company.refused("a key that the provider does not publish", name="bob")
    assert company.peer.asked.count("/keys") == 1
    providers._clock = lambda: time.monotonic() + 11
    assert company.arrive(name="bob")[1].status_code == 303
    company.peer.mischief.id_token = with_key(MADE_UP, kid="k9")
    for _ in range(3):
        company.refused("a key that the provider does not publish", name="cid")
    assert company.peer.asked.count("/keys") == 2


MADE_UP = RSAKey.generate_key(2048)
CLAIMS = {
    "wrong issuer": ({"iss": "https://accounts.example"}, "iss is not what it should be"),
    "wrong audience": ({"aud": "another-client"}, "aud is not what it should be"),
    "another party": ({"aud": ["client-1", "x"], "azp": "x"}, "azp is not what it should be"),
    "an audience more without a party": ({"aud": ["client-1", "x"]}, "azp is not what it should be"),
    "wrong nonce": ({"nonce": "of-another-sign-in"}, "nonce is not what it should be"),
    "no nonce": ({"nonce": None}, "nonce is not what it should be"),
    "expired": ({"exp": 1_700_000_000}, "has expired"),
    "no expiry": ({"exp": None}, "exp is not what it should be"),
    "issued in the future": ({"iat": 4_000_000_000}, "iat is not what it should be"),
    "no subject": ({"sub": None}, "sub is not what it should be"),
    "an empty subject": ({"sub": ""}, "names no subject"),
    "somebody else's access token": ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash is not what it should be"),
    "email not verified": ({"email_verified": False}, "has not checked this e-mail address"),
    "email not verified, as text": ({"email_verified": "false"}, "has not checked this e-mail address"),
    "an address that is none": ({"email": "ada"}, "is none"),
    "no address": ({"email": None}, "userinfo"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_token_with_a_false_claim_is_refused(company: Company, case: str) -> None:
    """Issuer, audience, party, nonce, times, subject and address must be what they should be."""
    company.peer.mischief.claims, reason = CLAIMS[case]
    if case == "no address":
        company.peer.mischief.userinfo = {"sub": "somebody else", "email": f"ada@{company.domain}"}
    company.refused(reason)


def test_a_token_signed_by_a_wrong_key_is_refused(company: Company) -> None:
    """A key of one's own under the name of the provider's signs nothing."""
    company.peer.mischief.id_token = with_key(MADE_UP)
    company.refused("signature does not hold")


def test_an_unsigned_token_is_refused(company: Company) -> None:
    """`alg: none` is no signature."""
    company.peer.mischief.id_token = unsigned
    company.refused("not signed by one of")


def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused(company: Company) -> None:
    """HS256 with what everybody can read is no signature."""
    company.peer.mischief.id_token = with_public_key_as_secret(company.peer)
    company.refused("not signed by one of")


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


def test_a_replayed_state_is_refused(company: Company) -> None:
    """The way back works once."""
    person = company.newcomer()
    back = company.peer.sign_in(depart(person, f"ada@{company.domain}"), "sub-1", f"ada@{company.domain}")
    assert person.get(back).status_code == 303
    again = company.peer.sign_in(depart(company.newcomer(), f"ada@{company.domain}"), "sub-1", f"ada@{company.domain}")
    replayed = back.split("?")[0] + "?" + again.split("?")[1].split("&state=")[0] + "&state=" + back.split("&state=")[1]
    assert "was begun in another browser" in person.get(replayed).text


def test_a_state_of_another_browser_is_refused(company: Company) -> None:
    """Nobody is signed in as whoever sent them a link (code injection): the state is bound to the browser's cookie."""
    attacker, victim = company.newcomer(), company.newcomer()
    back = company.peer.sign_in(depart(attacker, f"eve@{company.domain}"), "sub-eve", f"eve@{company.domain}")
    depart(victim, f"ada@{company.domain}")
    answer = victim.get(back)
    assert answer.status_code == 403 and "was begun in another browser" in answer.text
    assert attacker.get(back).status_code == 303


def test_a_code_of_another_sign_in_is_refused(company: Company) -> None:
    """A stolen code put into one's own answer fails: its PKCE challenge and its nonce are another's."""
    victim, attacker = company.newcomer(), company.newcomer()
    stolen = company.peer.sign_in(depart(victim, f"ada@{company.domain}"), "sub-ada", f"ada@{company.domain}")
    own = company.peer.sign_in(depart(attacker, f"eve@{company.domain}"), "sub-eve", f"eve@{company.domain}")
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    injected = own.replace(parse_qs(urlsplit(own).query)["code"][0], code)
    answer = attacker.get(injected)
    assert answer.status_code == 403 and "invalid_grant" in answer.text


def test_a_state_of_one_tenant_does_not_open_another(
    company: Company, tenants: Callable[[], Made], worker_units: Units
) -> None:
    """An answer for A's connection that carries B's state is refused at both (mixed-up tenants)."""
    other = tenants()
    domain = federations.domain()
    theirs = connect(other, worker_units, company.peer, domain)
    person = company.newcomer()
    back = company.peer.sign_in(depart(person, f"bob@{domain}"), "sub-bob", f"bob@{domain}")
    assert str(theirs) in back
    mixed = back.replace(str(theirs), str(company.connection_id))
    answer = person.get(mixed)
    assert answer.status_code == 403 and "was begun in another browser" in answer.text
    assert person.get(f"/t/{company.made.slug}/").status_code == 303


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("&iss=https%3A%2F%2Fevil.example", "another provider"),
        ("", "does not say whose it is"),
    ],
)
def test_an_answer_of_another_issuer_is_refused(company: Company, change: str, reason: str) -> None:
    """RFC 9207: `iss` must be the provider's, and must be there where the provider sends it."""
    person = company.newcomer()
    back = company.peer.sign_in(depart(person, f"ada@{company.domain}"), "sub-1", f"ada@{company.domain}")
    answer = person.get(back.split("&iss=")[0] + change)
    assert answer.status_code == 403 and reason in answer.text


def test_what_the_provider_says_went_wrong_is_shown_as_text(company: Company) -> None:
    """An error's words are shown, escaped."""
    person = company.newcomer()
    back = company.peer.sign_in(depart(person, f"ada@{company.domain}"), "sub-1", f"ada@{company.domain}")
    state = parse_qs(urlsplit(back).query)["state"][0]
    path = urlsplit(back).path
    said = "error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E"
    answer = person.get(f"{path}?state={state}&iss={company.peer.issuer}&{said}")
    assert answer.status_code == 403 and "access_denied" in answer.text and "<script>alert" not in answer.text


TOKENS = {
    "an error of the server": ((500, {}, b"{}"), "status 500"),
    "a redirect to a private address": ((302, {"Location": "http://169.254.169.254/latest"}, b""), "we do not follow"),
    "no JSON": ((200, {}, b"<html>"), "none of the standard"),
    "a list": ((200, {}, b"[]"), "none of the standard"),
    "no token": ((200, {}, b"{}"), "without an ID token"),
    "a number as the token": ((200, {}, b'{"id_token": 7}'), "without an ID token"),
    "garbage as the token": ((200, {}, b'{"id_token": "a.b.c"}'), "signature does not hold"),
}


@pytest.mark.parametrize("case", TOKENS)
def test_a_token_endpoint_that_fails_is_reported(company: Company, case: str) -> None:
    """What is no answer of the standard's signs nobody in, and says what came."""
    company.peer.mischief.token, reason = TOKENS[case]
    company.refused(reason)


def test_an_endless_answer_is_cut(company: Company) -> None:
    """A token endpoint that sends without end is left at half a megabyte."""
    company.peer.mischief.endless = True
    company.refused("too large, or broke off")


def test_a_slow_provider_is_given_up(company: Company) -> None:
    """Nobody waits for longer than five seconds for a word."""
    person = company.newcomer()
    back = company.peer.sign_in(depart(person, f"ada@{company.domain}"), "sub-1", f"ada@{company.domain}")
    company.peer.mischief.delay = 7.0
    answer = person.get(back)
    assert answer.status_code == 403 and "did not answer in time" in answer.text


def test_a_slow_provider_holds_three_threads_at_most(app: Flask, company: Company) -> None:
    """Whoever comes fourth is told to come back; another provider's people are not kept waiting."""
    providers = app.extensions["sentinel"].providers
    with ExitStack() as waiting:
        for _ in range(3):
            waiting.enter_context(providers.turn(company.peer.issuer))
        person = company.newcomer()
        person.get("/sso")
        answer = person.post("/sso", {"email": f"ada@{company.domain}"})
        assert answer.status_code == 422 and "Several people wait for this provider" in answer.text
        with providers.turn("https://another.example"):
            pass
    assert company.arrive()[1].status_code == 303


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("token_endpoint", "http://10.0.0.1/x"),
        ("token_endpoint", "https://[::1]/x"),
        ("jwks_uri", "https://127.0.0.1:1/x"),
        ("jwks_uri", "file:///etc/passwd"),
        ("userinfo_endpoint", "https://169.254.169.254/x"),
        ("end_session_endpoint", "javascript://x"),
    ],
)
def test_a_provider_leads_to_no_address_within(company: Company, endpoint: str, url: str) -> None:
    """Metadata that names an inside address is refused, at discovery or when it would be asked."""
    company.peer.mischief.metadata = {endpoint: url}
    if endpoint == "userinfo_endpoint":
        company.peer.mischief.claims = {"email": None}
    person = company.newcomer()
    person.get("/sso")
    answer = person.post("/sso", {"email": f"ada@{company.domain}"})
    if answer.status_code == 200:
        answer = person.get(company.peer.sign_in(federations.onward(answer), "sub-1", f"ada@{company.domain}"))
        assert answer.status_code == 403, answer.text
    assert person.get(f"/t/{company.made.slug}/").status_code == 303


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
