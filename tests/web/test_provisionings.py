"""Provisioning in the browser: a token is issued, shown once, rotated and revoked; a group is given a role."""

import re
from collections.abc import Callable

import pytest

from app.db.units import Home, Units
from app.services import scim_tokens
from tests.peers.directories import Directory, choose_plan, issue_token, prove_domain
from tests.peers.tenants import Made, make_tenant
from tests.peers.visitors import Person

AT = "/sign-in/provisioning"
SECRET = re.compile(r"sntl_scim_[0-9A-Za-z]{36}")


@pytest.fixture
def owner(newcomer: Callable[[], Person], made: Made) -> Person:
    """The owner of an enterprise tenant, at a browser."""
    return newcomer().sign_in(made)


@pytest.fixture
def made(units: Units) -> Made:
    """An enterprise tenant."""
    tenant = make_tenant(units)
    choose_plan(tenant, "enterprise")
    return tenant


def test_a_token_is_issued_rotated_and_revoked(owner: Person, made: Made) -> None:
    """The token is shown once; the next one overlaps; the old one goes by typing its beginning."""
    page = owner.get(owner.at(AT))
    assert "provisioning is off" in page.text and "e-mail domain" in page.text
    shown = owner.post(owner.at(f"{AT}/tokens"))
    secret = SECRET.search(shown.text)
    assert shown.status_code == 200 and secret is not None
    again = owner.get(owner.at(AT)).text
    assert secret.group(0) not in again and secret.group(0)[:14] in again
    assert owner.post(owner.at(f"{AT}/tokens")).status_code == 200
    third = owner.post(owner.at(f"{AT}/tokens"))
    assert third.status_code == 303 and "Two tokens are in force" in owner.get(third.location).text
    with made.unit(Home.ACCOUNT) as unit:
        old = scim_tokens.tokens_in_force(unit)[0]
    where = owner.at(f"{AT}/tokens/{old.id}")
    assert old.hint in owner.get(where).text
    assert owner.post(where, {"name": "other"}).status_code == 422
    assert owner.post(where, {"name": old.hint}).status_code == 303
    with made.unit(Home.ACCOUNT) as unit:
        assert [token.id for token in scim_tokens.tokens_in_force(unit)] != [old.id]


def test_a_group_is_given_a_role(owner: Person, made: Made) -> None:
    """The page shows what the identity provider sent; a role given to a group holds for its people at once."""
    domain = f"{made.slug}.example.org"
    prove_domain(made, domain)
    issued = issue_token(made)
    directory = Directory(owner.client, owner.base_url, made, domain, issued.token.id, issued.secret)
    ada = directory.create("ada")
    group = directory.group("Staff <b>", ada["id"])
    page = owner.get(owner.at(AT))
    assert "Staff &lt;b&gt;" in page.text and "just now" in page.text
    answer = owner.post(owner.at(f"{AT}/groups/{group['id']}"), {"role": "operator"})
    assert answer.status_code == 303 and "Roles that changed: 1" in owner.get(answer.location).text
    people = owner.get(owner.at(f"{AT}/people")).text
    assert directory.at("ada") in people and "operator" in people
    wrong = owner.post(owner.at(f"{AT}/groups/{group['id']}"), {"role": "owner"})
    assert wrong.status_code == 303 and "no such role" in owner.get(wrong.location).text
    card = owner.get(owner.at("/sign-in")).text
    assert "Provisioning" in card and "just now" in card


def test_a_plan_without_provisioning_says_so(owner: Person, made: Made) -> None:
    """On a smaller plan the page says which plan it comes with, and no token is issued."""
    choose_plan(made, "professional")
    assert "enterprise plan" in owner.get(owner.at(AT)).text
    answer = owner.post(owner.at(f"{AT}/tokens"))
    assert answer.status_code == 303 and "not part of this tenant" in owner.get(answer.location).text
