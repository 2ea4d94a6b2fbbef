"""Second factors in the browser: setting up an app, the second step of signing in, confirming who one is."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.clock import SetClock
from tests.peers.apps import AuthenticatorApp
from tests.peers.visitors import Person
from tests.plugins.servers import Database

KEY = re.compile(r'id="totp-key"[^>]*>([A-Z2-7 ]+)<')
SEALED = re.compile(r'name="sealed"[^>]*value="([^"]+)"')
CODES = re.compile(r"[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}")


@pytest.fixture
def aged(postgres_server: Database) -> Callable[[Person], None]:
    """Makes a person's proofs an hour old."""

    def age(person: Person) -> None:
        with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
            connection.execute(
                "UPDATE auth.sessions SET confirmed_at = confirmed_at - interval '1 hour' "
                "WHERE user_id = (SELECT id FROM auth.users WHERE email = %s)",
                [person.email],
            )

    return age


def set_up(person: Person) -> tuple[AuthenticatorApp, list[str]]:
    """Set an authenticator app up as a person does; return it and the recovery codes."""
    page = person.get("/account/authenticator").text
    key, sealed = KEY.search(page), SEALED.search(page)
    assert key is not None and sealed is not None
    app = AuthenticatorApp(key.group(1))
    code = app.code(datetime.now(UTC))
    answer = person.post("/account/authenticator", {"code": code, "sealed": sealed.group(1)})
    assert answer.status_code == 200, answer.text
    return app, codes_on(answer.text)


def codes_on(page: str) -> list[str]:
    """Return the recovery codes that a page shows."""
    return CODES.findall(page.split("<pre")[1].split("</pre>")[0])


def give_password(visitor: Person, owner: Person, wanted: str = "") -> TestResponse:
    """Sign in as the owner, up to the second step."""
    visitor.get("/login")
    return visitor.post("/login", {"email": owner.email, "password": owner.password, "next": wanted})


def test_an_app_is_set_up_by_its_first_code(owner: Person) -> None:
    """A wrong code leaves the same key in place; the right one shows ten codes once, which copy and download."""
    page = owner.get("/account/authenticator").text
    assert "<svg" in page and 'class="qr"' in page
    sealed = SEALED.search(page)
    assert sealed is not None
    wrong = owner.post("/account/authenticator", {"code": "000000", "sealed": sealed.group(1)})
    assert wrong.status_code == 422 and "present code" in wrong.text
    key, again = KEY.search(page), KEY.search(wrong.text)
    assert key is not None and again is not None and again.group(1) == key.group(1)
    assert "Not asked for yet" in owner.get("/account").text
    _app, codes = set_up(owner)
    assert len(codes) == 10
    account = owner.get("/account").text
    assert "10 left" in account and "An authenticator app was set up" in account and codes[0] not in account
    assert owner.get("/account/authenticator").location == "/account"


def test_signing_in_asks_for_the_factor_and_goes_on(owner: Person, newcomer: Callable[[], Person]) -> None:
    """The password leads to the second step, which tells a wrong code; the right one leads where one wanted to."""
    app, codes = set_up(owner)
    other = newcomer()
    assert give_password(other, owner, owner.at("/scans")).location == "/login/factor"
    assert "/login" in other.get(owner.at("/scans")).location
    assert "Six digits" in other.get("/login/factor").text
    wrong = other.post("/login/factor", {"code": "000000"})
    assert wrong.status_code == 422 and "This code is wrong, or was used already" in wrong.text
    assert other.post("/login/factor", {"code": app.code(datetime.now(UTC), 1)}).location == owner.at("/scans")
    assert other.get(owner.at("/scans")).status_code == 200
    third = newcomer()
    give_password(third, owner)
    third.get("/login/factor")
    assert third.post("/login/factor", {"code": codes[0]}).location == "/"
    assert "9 left" in third.get(owner.at("/")).text


def test_the_second_step_begins_with_the_first(newcomer: Callable[[], Person]) -> None:
    """Without a password given, or after too many tries, one is led to the sign-in."""
    visitor = newcomer()
    assert visitor.get("/login/factor").location == "/login"
    visitor.get("/login")
    assert visitor.post("/login/factor", {"code": "000000"}).location == "/login"


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"])
def test_one_is_led_to_pages_of_this_site_alone(owner: Person, newcomer: Callable[[], Person], wanted: str) -> None:
    """An address of another site as the page that was asked for is dropped, at each step."""
    assert give_password(newcomer(), owner, wanted).location == "/"
    page = owner.get(f"/account/confirmation?next={quote(wanted)}").text
    assert "evil.example" not in page and "javascript:x" not in page
    assert owner.post("/account/confirmation", {"password": owner.password, "next": wanted}).location == "/account"


def test_an_old_proof_is_renewed_before_a_factor_is_touched(owner: Person, aged: Callable[[Person], None]) -> None:
    """The page of the form leads to the confirmation and back; the session goes on under another token."""
    owner.get("/account/authenticator")
    aged(owner)
    led = owner.get("/account/authenticator")
    assert led.status_code == 303 and led.location == "/account/confirmation?next=/account/authenticator"
    assert owner.post("/account/authenticator").location == led.location
    before = owner.client.get_cookie("__Host-sentinel", domain="localhost")
    page = owner.get(led.location)
    assert f"The password of {owner.email}" in html.unescape(page.text)
    wrong = owner.post("/account/confirmation", {"password": "wrong", "next": "/account/authenticator"})
    assert wrong.status_code == 422 and "This is not your password" in wrong.text
    done = owner.post("/account/confirmation", {"password": owner.password, "next": "/account/authenticator"})
    assert done.location == "/account/authenticator"
    assert owner.client.get_cookie("__Host-sentinel", domain="localhost") != before
    assert owner.get("/account/authenticator").status_code == 200


def test_who_has_a_factor_confirms_by_it(owner: Person, aged: Callable[[Person], None], app: Flask) -> None:
    """A code is asked for, not the password; a used one is refused."""
    authenticator, _codes = set_up(owner)
    aged(owner)
    page = owner.get(owner.get("/account/authenticator/removal").location)
    assert "Six digits" in page.text and 'type="password"' not in page.text
    clock = SetClock(datetime.now(UTC) + timedelta(minutes=1))
    app.extensions["sentinel"].units.clock = clock
    code = authenticator.code(clock.now())
    form: dict[str, object] = {"code": code, "next": "/account/authenticator/removal"}
    assert owner.post("/account/confirmation", form).location == "/account/authenticator/removal"
    assert owner.post("/account/confirmation", form).status_code == 422
    owner.get("/account/authenticator/removal")
    assert owner.post("/account/authenticator/removal").location == "/account"
    assert "The authenticator app was removed" in owner.get("/account").text


def test_new_recovery_codes_are_shown_once(owner: Person) -> None:
    """The page says how many become void, then shows ten others."""
    _app, old = set_up(owner)
    assert "The 10 unused codes" in owner.get("/account/recovery-codes").text
    answer = owner.post("/account/recovery-codes")
    new = set(codes_on(answer.text))
    assert answer.status_code == 200 and len(new) == 10 and not new & set(old)


def test_a_tenants_demand_leads_to_a_factor_and_back(owner: Person, postgres_server: Database) -> None:
    """Whoever has no factor is led to setting one up; with it, the tenant opens, and each page is the one asked for."""
    with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO control.policies (tenant_id, mfa_required) "
            "SELECT id, true FROM control.tenants WHERE slug = %s",
            [owner.slug],
        )
    led = owner.get(owner.at("/scans"))
    assert led.status_code == 303
    page = owner.get(led.location).text
    assert "Add a second factor" in page and quote(owner.at("/scans"), safe="/") in page
    set_up(owner)
    assert owner.get(owner.at("/scans")).status_code == 200


def test_pages_of_a_form_are_gone_back_to_and_nothing_else(owner: Person, aged: Callable[[Person], None]) -> None:
    """After a POST with an old proof one lands on the page of the form."""
    owner.get("/account/recovery-codes")
    aged(owner)
    assert owner.post("/account/recovery-codes").location == "/account/confirmation?next=/account/recovery-codes"


def test_a_key_is_issued_on_a_fresh_proof_alone(owner: Person, aged: Callable[[Person], None]) -> None:
    """The form for a key asks first; a form that was open for an hour issues nothing."""
    owner.get(owner.at("/keys/new"))
    aged(owner)
    wanted = f"/account/confirmation?next={owner.at('/keys')}"
    assert owner.get(owner.at("/keys/new")).location == f"{wanted}/new"
    form: dict[str, object] = {"name": "Late", "scopes": "tenant:scans:read", "lifetime": "90"}
    assert owner.post(owner.at("/keys"), form).location == wanted
    assert "Late" not in owner.get(owner.at("/keys")).text
