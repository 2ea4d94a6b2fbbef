"""Setting up single sign-on in the browser: checked, tested, switched on, required, taken away."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from uuid import UUID

import pytest

from app.core.errors import PermissionDenied
from app.core.permissions import Role, permissions_of
from app.db.units import Home, Units
from app.services import connections, memberships, role_maps
from tests.peers import federations
from tests.peers.federations import come_in, find_record, onward
from tests.peers.members import make_member
from tests.peers.openid import OpenIdPeer, openid_peer
from tests.peers.tenants import Made, make_tenant
from tests.peers.visitors import Person

AT = "/sign-in/connection"


@pytest.fixture
def admin(newcomer: Callable[[], Person], tenant: Made) -> Person:
    """The owner of the tenant, at a browser."""
    federations.include(tenant)
    return newcomer().sign_in(tenant)


def save(person: Person, peer: OpenIdPeer, **changes: str) -> str:
    """Send the form of step 2; return the page that it leads to, or that it comes back with."""
    form = {"issuer": peer.issuer, "client_id": "client-1", "secret": peer.secrets["client-1"], **changes}
    answer = person.post(person.at(AT), dict(form))
    return person.get(answer.location).text if answer.status_code == 303 else answer.text


def start(person: Person, peer: OpenIdPeer) -> None:
    """Take the first two steps."""
    person.get(person.at("/sign-in"))
    assert person.post(person.at(f"{AT}/start")).status_code == 303
    person.get(person.at(AT))
    assert "The provider answers as it should" in save(person, peer)


def try_out(person: Person, peer: OpenIdPeer, subject: str = "sub-1", email: str = "", **claims: object) -> str:
    """Do a test sign-in; return the page that one comes back to."""
    url = onward(person.post(person.at(f"{AT}/trial")))
    answer = person.get(peer.sign_in(url, subject, email or person.email, **claims))
    assert answer.status_code == 303, answer.text
    return person.get(answer.location).text


def prove(person: Person, made: Made, worker_units: Units, name: str) -> None:
    """Add a domain on the page, and let the worker find its record."""
    person.get(person.at("/sign-in/domains"))
    assert person.post(person.at("/sign-in/domains"), {"domain": name}).status_code == 303
    page = person.get(person.at("/sign-in/domains"))
    assert f"_sentinel-challenge.{name}" in page.text and "sentinel-verification=" in page.text
    found = re.search(r"/sign-in/domains/([0-9a-f-]{36})/check", page.text)
    assert found is not None
    assert person.post(person.at(found.group(0))).status_code == 303
    find_record(made, worker_units, UUID(found.group(1)))


def test_a_stranger_finishes_the_set_up(
    admin: Person, tenant: Made, provider: OpenIdPeer, worker_units: Units, newcomer: Callable[[], Person]
) -> None:
    """Six steps on one page, each with what to do next; then somebody new comes in with the role of their claim."""
    domain = federations.domain()
    start(admin, provider)
    page = admin.get(admin.at(AT)).text
    assert re.search(r"/sso/[0-9a-f-]{36}/callback", page) and "/sso/signed-out" in page
    assert provider.secrets["client-1"] not in unescape(page)
    admin.post(admin.at(f"{AT}/activation"))
    assert "Try a test sign-in first." in admin.get(admin.at(AT)).text
    prove(admin, tenant, worker_units, domain)
    admin.get(admin.at(AT))
    roles = {"claim": "groups", "roles": "admins = admin\nstaff = operator", "default": ""}
    assert admin.post(admin.at(f"{AT}/roles"), dict(roles)).status_code == 303
    page = try_out(admin, provider, email=f"olive@{domain}", groups=["x", "staff"])
    assert "The last test went well" in page and "Role: <strong>operator</strong>" in page and "staff" in page
    admin.post(admin.at(f"{AT}/activation"))
    assert "Single sign-on is on." in admin.get(admin.at(AT)).text

    person = newcomer()
    answer = come_in(person, provider, "sub-ada", f"ada@{domain}", groups=["admins"])
    assert answer.location == f"/t/{tenant.slug}/"
    assert "Somebody" not in person.get(answer.location).text
    with tenant.unit(Home.ACCOUNT) as unit:
        assert {row.email: row.role for row in memberships.list_members(unit).rows}[f"ada@{domain}"] == "admin"
    refused = come_in(newcomer(), provider, "sub-bob", f"bob@{domain}", groups=["others"])
    assert refused.status_code == 403 and "gives you no role here" in refused.text


def test_it_is_part_of_the_larger_plans(newcomer: Callable[[], Person], tenant: Made) -> None:
    """A plan without it says which plans have it, and takes no set-up; what is on goes on after a change of plan."""
    owner = newcomer().sign_in(tenant)
    page = owner.get(owner.at("/sign-in"))
    assert "Not part of your plan" in page.text and "Set up single sign-on" not in page.text
    assert owner.post(owner.at(f"{AT}/start")).status_code == 403
    assert "comes with the plans Enterprise and Custom" in owner.get(owner.at("/sign-in/domains")).text
    refused = owner.post(owner.at("/sign-in/domains"), {"domain": federations.domain()})
    assert refused.status_code == 403 and "It comes with Enterprise and Custom." in refused.text


def test_a_wrong_issuer_is_told_with_the_right_one(admin: Person, provider: OpenIdPeer) -> None:
    """The discovery check says what is wrong beside the field; nothing is kept, and the secret does not come back."""
    admin.get(admin.at("/sign-in"))
    admin.post(admin.at(f"{AT}/start"))
    admin.get(admin.at(AT))
    page = unescape(save(admin, provider, issuer=f"{provider.issuer}/"))
    assert f"The provider calls itself {provider.issuer}, not {provider.issuer}/" in page
    assert provider.secrets["client-1"] not in page
    for issuer, reason in (
        ("", "Is needed"),
        ("http://accounts.example", "must be reached over https"),
        ("https://10.1.2.3/", "is not, or leads to what is not, a public address"),
        ("https://a@accounts.example", "has a user name or a password"),
        (f"{provider.issuer}/nothing", "answered with status 404"),
    ):
        assert reason in unescape(save(admin, provider, issuer=issuer)), issuer
    provider.mischief.metadata = {"issuer": "https://elsewhere.example"}
    assert "calls itself https://elsewhere.example" in unescape(save(admin, provider))
    assert "First enter what the provider gave you." in admin.get(admin.at(AT)).text


def test_a_failed_test_says_why_and_does_not_make_ready(admin: Person, provider: OpenIdPeer) -> None:
    """A test with a wrong secret shows what the provider said."""
    start(admin, provider)
    provider.secrets["client-1"] = "another"
    page = try_out(admin, provider)
    assert "The last test failed" in page and "invalid_client" in page
    admin.post(admin.at(f"{AT}/activation"))
    assert "Try a test sign-in first." in admin.get(admin.at(AT)).text


def test_a_test_warns_of_an_address_that_would_be_refused(admin: Person, provider: OpenIdPeer) -> None:
    """The set-up is good, but this address is outside the proven domains."""
    start(admin, provider)
    page = try_out(admin, provider, email="olive@elsewhere.example")
    assert "The last test went well" in page and "elsewhere.example is none of your proven domains yet" in page


def test_a_test_signs_nobody_in(admin: Person, provider: OpenIdPeer, tenant: Made) -> None:
    """Whoever tests as somebody else stays who they are; the answer is of no use in another browser."""
    start(admin, provider)
    try_out(admin, provider, subject="sub-other", email="other@elsewhere.example")
    assert admin.email in admin.get(admin.at("/")).text
    with tenant.unit(Home.ACCOUNT) as unit:
        assert len(memberships.list_members(unit).rows) == 1


def test_a_test_comes_back_to_whoever_began_it(
    admin: Person, provider: OpenIdPeer, newcomer: Callable[[], Person]
) -> None:
    """Signed out meanwhile, nothing is noted."""
    start(admin, provider)
    url = onward(admin.post(admin.at(f"{AT}/trial")))
    back = provider.sign_in(url, "sub-1", admin.email)
    assert newcomer().get(back).status_code == 403
    admin.post("/logout")
    assert admin.get(back).status_code == 403


def test_a_new_secret_replaces_the_old_after_a_good_test(
    admin: Person, tenant: Made, provider: OpenIdPeer, worker_units: Units, newcomer: Callable[[], Person]
) -> None:
    """Rotation: people come in by the old secret until a test sign-in with the new one went well."""
    domain = federations.domain()
    federations.connect(tenant, worker_units, provider, domain)
    admin.get(admin.at(AT))
    assert "A new secret waits" in save(admin, provider, secret="the-new-one")
    assert come_in(newcomer(), provider, "sub-1", f"ada@{domain}").status_code == 303
    assert "invalid_client" in try_out(admin, provider)
    provider.secrets["client-1"] = "the-new-one"
    assert come_in(newcomer(), provider, "sub-1", f"ada@{domain}").status_code == 403
    assert "A new secret waits" not in try_out(admin, provider)
    assert come_in(newcomer(), provider, "sub-1", f"ada@{domain}").status_code == 303


def test_a_secret_goes_to_no_other_issuer(admin: Person, provider: OpenIdPeer) -> None:
    """Another issuer or client asks for its own secret, and has to be tested anew."""
    start(admin, provider)
    try_out(admin, provider)
    with openid_peer() as other:
        page = save(admin, provider, issuer=other.issuer, secret="")
        assert "must be reached over https" in page
    assert "Enter the secret of this client" in save(admin, provider, client_id="client-2", secret="")
    page = save(admin, provider, client_id="client-2")
    assert "Not tried yet." in page and "Draft" in page


def test_issuer_and_client_stay_while_it_is_on(
    admin: Person, tenant: Made, provider: OpenIdPeer, worker_units: Units
) -> None:
    """What people come in by is not changed under them."""
    federations.connect(tenant, worker_units, provider, federations.domain())
    admin.get(admin.at(AT))
    assert "Switch the connection off before" in save(admin, provider, client_id="client-2")


def test_it_is_required_by_whoever_tested_it_and_holds_at_once(
    admin: Person, tenant: Made, provider: OpenIdPeer, worker_units: Units, newcomer: Callable[[], Person]
) -> None:
    """A member's password session is refused at its next click, and led on to the provider, which opens it."""
    domain = federations.domain()
    federations.connect(tenant, worker_units, provider, domain)
    known = make_tenant(tenant.units, email=f"mia@{domain}", verified=True)
    member = newcomer().sign_in(known)
    with tenant.unit(Home.ACCOUNT) as unit:
        assert known.actor.id is not None
        memberships.add_member(unit, known.actor.id, known.email, "Mia", Role.VIEWER, source="invitation")
        unit.commit()
    assert member.get(f"/t/{tenant.slug}/").status_code == 200
    admin.get(admin.at(AT))
    assert admin.post(admin.at(f"{AT}/requirement")).status_code == 303
    refused = member.get(f"/t/{tenant.slug}/scans")
    assert refused.status_code == 403 and "Sign in through your company" in refused.text
    url = onward(member.post("/sso", {"email": known.email, "next": f"/t/{tenant.slug}/scans"}))
    answer = member.get(provider.sign_in(url, "sub-mia", known.email))
    assert answer.location == f"/t/{tenant.slug}/scans" and member.get(answer.location).status_code == 200
    assert member.get(f"/t/{known.slug}/").status_code == 200  # the password was shown in this browser before


def test_nobody_requires_what_they_have_not_tested(
    admin: Person, tenant: Made, provider: OpenIdPeer, worker_units: Units
) -> None:
    """The test of somebody else does not count."""
    federations.connect(tenant, worker_units, provider, federations.domain())
    with tenant.unit(Home.ACCOUNT) as unit:
        found = connections.get_connection(unit)
        found.tested_by = found.id
        unit.commit()
    admin.get(admin.at(AT))
    admin.post(admin.at(f"{AT}/requirement"))
    assert "Try a test sign-in of your own first" in admin.get(admin.at(AT)).text


def test_nobody_maps_a_role_above_what_they_hold(tenant: Made, provider: OpenIdPeer, worker_units: Units) -> None:
    """Who is no admin maps nobody to admin, whatever extra permissions they have; nobody at all maps to owner."""
    federations.connect(tenant, worker_units, provider, federations.domain())
    actor = replace(make_member(tenant, Role.OPERATOR).actor, permissions=permissions_of(Role.ADMIN))
    with tenant.unit(Home.ACCOUNT, actor) as unit:
        role_maps.save_roles(unit, claim="groups", pairs=[("staff", "operator")], default=None)
        with pytest.raises(PermissionDenied):
            role_maps.save_roles(unit, claim="groups", pairs=[("staff", "admin")], default=None)
    for line in ("boss = owner", "nothing", "= admin", "a = captain"):
        with pytest.raises(ValueError, match="line 1"):
            role_maps.read_lines(line)


def test_a_claim_neither_gives_nor_takes_ownership(
    tenant: Made, provider: OpenIdPeer, worker_units: Units, newcomer: Callable[[], Person]
) -> None:
    """The last owner survives a mapping that would make them a viewer; other members follow the claim."""
    domain = federations.domain()
    pairs = [("ops", "operator"), ("admins", "admin")]
    federations.connect(tenant, worker_units, provider, domain, claim="groups", pairs=pairs, default="viewer")
    known = make_tenant(tenant.units, email=f"olga@{domain}", verified=True)
    with tenant.unit(Home.ACCOUNT) as unit:
        assert known.actor.id is not None
        memberships.add_member(unit, known.actor.id, known.email, "Olga", Role.OWNER, source="invitation")
        unit.commit()
    owner = newcomer()
    assert come_in(owner, provider, "sub-olga", known.email, groups=["nothing"]).location == "/sso/link"
    owner.get("/sso/link")
    assert owner.post("/sso/link", {"password": known.password}).status_code == 303
    assert come_in(newcomer(), provider, "sub-olga", known.email, groups=["ops"]).status_code == 303
    for groups, role in ((["admins"], "admin"), (["ops", "admins"], "operator"), ([], "viewer")):
        assert come_in(newcomer(), provider, "sub-ada", f"ada@{domain}", groups=groups).status_code == 303
        with tenant.unit(Home.ACCOUNT) as unit:
            rows = {row.email: row.role for row in memberships.list_members(unit).rows}
        assert rows[f"ada@{domain}"] == role and rows[known.email] == "owner"


def test_it_is_removed_by_name_with_all_that_it_opened(
    admin: Person, tenant: Made, provider: OpenIdPeer, worker_units: Units, newcomer: Callable[[], Person]
) -> None:
    """The name is asked for; then the secret is gone, sessions by it end, and passwords are asked for again."""
    domain = federations.domain()
    federations.connect(tenant, worker_units, provider, domain)
    inside = newcomer()
    come_in(inside, provider, "sub-1", f"ada@{domain}")
    admin.get(admin.at(f"{AT}/removal"))
    assert admin.post(admin.at(f"{AT}/removal"), {"name": "no"}).status_code == 422
    assert admin.post(admin.at(f"{AT}/removal"), {"name": tenant.slug}).status_code == 303
    assert "Let people sign in at your company" in admin.get(admin.at("/sign-in")).text
    assert inside.get(f"/t/{tenant.slug}/").status_code == 303


def test_an_auditor_sees_and_changes_nothing(
    admin: Person, tenant: Made, provider: OpenIdPeer, worker_units: Units, newcomer: Callable[[], Person]
) -> None:
    """Reading the settings shows no form; sending one is refused."""
    domain = federations.domain()
    federations.connect(tenant, worker_units, provider, domain, claim="", pairs=[], default="auditor")
    auditor = newcomer()
    come_in(auditor, provider, "sub-1", f"ada@{domain}")
    page = auditor.get(f"/t/{tenant.slug}{AT}")
    assert page.status_code == 200 and "Check and save" not in page.text and "Switch off" not in page.text
    for rule in ("start", "roles", "trial", "activation", "deactivation", "requirement", "removal"):
        assert auditor.post(f"/t/{tenant.slug}{AT}/{rule}").status_code == 403, rule
