"""Signing up by JSON: nobody learns whether an address has an account."""

import time
from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.test_routing import assert_problem
from tests.peers.letters import Letters
from tests.peers.tenants import Made
from tests.peers.visitors import Person

PASSWORD = "a sentence that nobody guesses"
PATH = "/api/v1/auth/register"
Register = Callable[..., TestResponse]


@pytest.fixture
def register(client: FlaskClient, base_url: str) -> Register:
    """Signs up, from an address of its own."""
    client.environ_base["REMOTE_ADDR"] = f"2001:db8:{token_hex(2)}::1"

    def ask(email: str, slug: str, path: str = PATH, body: Any = None) -> TestResponse:
        user = {"email": email, "name": "Test User", "password": PASSWORD}
        given = body or {"user": user, "tenant": {"name": "Acme", "slug": slug}}
        return client.post(path, json=given, base_url=base_url)

    return ask


@pytest.fixture
def mark() -> str:
    """What makes names this test's own."""
    return token_hex(4)


@pytest.mark.usefixtures("real_costs")
def test_known_and_unknown_are_answered_alike(register: Register, tenant: Made, mark: str) -> None:
    """The answers are the same to the byte and the header; neither comes sooner than half a second."""
    answers, took = [], []
    for email in (f"new-{mark}@example.com", tenant.email):
        began = time.perf_counter()
        answers.append(register(email, f"s-{token_hex(4)}"))
        took.append(time.perf_counter() - began)
    new, known = answers
    assert new.status_code == known.status_code == 202
    assert new.data == known.data
    assert [name for name, _ in new.headers] == [name for name, _ in known.headers]
    assert "Set-Cookie" not in new.headers
    assert min(took) >= 0.5


def test_the_slug_of_a_known_address_is_taken_too(register: Register, tenant: Made, mark: str) -> None:
    """Asking for the same slug again tells nothing of whether the first sign-up made a tenant."""
    told = []
    for number, email in enumerate((f"new-{mark}@example.com", tenant.email)):
        slug = f"s{number}-{mark}"
        assert register(email, slug).status_code == 202
        told.append(assert_problem(register(f"other-{number}-{mark}@example.com", slug), 422, "invalid")["errors"])
    assert told[0] == told[1] == [{"field": "tenant.slug", "detail": "already taken"}]


def test_tokens_come_once_the_link_is_redeemed(
    register: Register, client: FlaskClient, base_url: str, letters: Letters, mark: str
) -> None:
    """Before the mailed link was redeemed signing in is 401, afterwards the tokens open the new tenant."""
    email = f"new-{mark}@example.com"
    body = {"email": email, "password": PASSWORD, "full_name": "Test User", "org_name": f"Söhne & {mark}"}
    assert register(email, "", path="/auth/register", body=body).status_code == 202

    def login() -> TestResponse:
        given = {"email": email, "password": PASSWORD}
        return client.post("/auth/login", json=given, base_url=base_url)

    assert_problem(login(), 401, "unauthenticated")
    reader = Person(client.application, base_url)
    link = letters.link(email)
    reader.password = PASSWORD
    reader.confirm(link)
    told = login()
    assert told.status_code == 200 and told.json is not None
    assert told.json["tenant"]["slug"].startswith("s-hne-") and told.json["tenant"]["name"] == f"Söhne & {mark}"


def test_the_holder_of_a_known_address_is_told(register: Register, tenant: Made, letters: Letters, mark: str) -> None:
    """A sign-up with a known address makes nothing, and its holder gets a mail that says so."""
    register(tenant.email, f"s-{mark}")
    assert letters.last(tenant.email)["Subject"] == "You already have an account"


def test_each_field_that_will_not_do_is_named(register: Register, mark: str) -> None:
    """What is wrong is named by the fields of the shape that was sent."""
    email = f"new-{mark}@example.com"
    body = {"email": "nobody", "password": "short", "full_name": " ", "org_name": " ", "org_slug": "-"}
    flat = assert_problem(register(email, "", path="/auth/register", body=body), 422, "invalid")
    assert {entry["field"] for entry in flat["errors"]} == body.keys()
    user = {"email": "nobody", "name": " ", "password": "short"}
    deep = assert_problem(
        register(email, "", body={"user": user, "tenant": {"name": " ", "slug": "-"}}), 422, "invalid"
    )
    named = {"user.email", "user.name", "user.password", "tenant.name", "tenant.slug"}
    assert {entry["field"] for entry in deep["errors"]} == named
