"""Signing in by a provider of the platform's own, which knows no tenant."""

import secrets
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.settings import Settings, settings
from app.db.units import Units
from tests.peers.apps import add_app
from tests.peers.federations import onward
from tests.peers.openid import OpenIdPeer
from tests.peers.tenants import make_tenant
from tests.peers.visitors import Person


@pytest.fixture
def variables(variables: dict[str, str], provider: OpenIdPeer) -> dict[str, str]:
    """The settings of an installation with a provider of its own."""
    own = {
        "PLATFORM_OIDC_ISSUER": provider.issuer,
        "PLATFORM_OIDC_CLIENT_ID": "client-1",
        "PLATFORM_OIDC_CLIENT_SECRET": provider.secrets["client-1"],
        "PLATFORM_OIDC_NAME": "Fjordgate",
    }
    return {**variables, **own}


def come_in(person: Person, peer: OpenIdPeer, subject: str, email: str, **claims: object) -> TestResponse:
    """Sign in by the button on the sign-in page."""
    page = person.get("/login")
    assert "Continue with Fjordgate" in page.text
    url = onward(person.post("/sso/platform"))
    return person.get(peer.sign_in(url, subject, email, **claims))


def address() -> str:
    """An address that nobody has."""
    return f"p-{secrets.token_hex(5)}@example.com"


def test_a_new_person_gets_an_account_without_a_tenant(
    app: Flask, newcomer: Callable[[], Person], provider: OpenIdPeer
) -> None:
    """Who was unknown is signed in with a checked address; the second time as the same person."""
    email = address()
    for _ in range(2):
        person = newcomer()
        assert come_in(person, provider, f"sub-{email}", email).status_code == 303
        page = person.get("/account")
        assert email in page.text and "Verified" in page.text


def test_an_account_is_linked_by_its_password_once(
    app: Flask, newcomer: Callable[[], Person], provider: OpenIdPeer, units: Units
) -> None:
    """Whoever has the address is asked for the password; from then on the provider opens all their tenants."""
    made = make_tenant(units, email=address(), verified=True)
    person = newcomer()
    assert come_in(person, provider, "sub-owner", made.email).location == "/sso/link"
    assert person.get(f"/t/{made.slug}/").status_code == 303
    person.get("/sso/link")
    assert person.post("/sso/link", {"password": "wrong"}).status_code == 422
    assert person.post("/sso/link", {"password": made.password}).status_code == 303
    other = newcomer()
    assert come_in(other, provider, "sub-owner", made.email).status_code == 303
    assert other.get(f"/t/{made.slug}/").status_code == 200


def test_an_account_that_has_not_confirmed_its_address_is_not_linked(
    app: Flask, newcomer: Callable[[], Person], provider: OpenIdPeer, units: Units
) -> None:
    """Somebody who signed up with another's address is not handed that person's sign-in."""
    answer = come_in(newcomer(), provider, "sub-x", make_tenant(units, verified=False).email)
    assert answer.status_code == 403 and "has not confirmed it yet" in answer.text


@pytest.mark.parametrize("said", [None, False, "false"])
def test_an_address_that_is_not_checked_is_refused(
    app: Flask, newcomer: Callable[[], Person], provider: OpenIdPeer, said: object
) -> None:
    """Here nobody has proven a domain: the provider must say that the address is checked."""
    provider.mischief.claims = {"email_verified": said}
    answer = come_in(newcomer(), provider, "sub-x", address())
    assert answer.status_code == 403 and "has not checked this e-mail address" in answer.text


def test_a_second_factor_is_asked_for_all_the_same(
    app: Flask, newcomer: Callable[[], Person], provider: OpenIdPeer, units: Units
) -> None:
    """Whoever has an authenticator app shows its code after the provider, as after the password."""
    made = make_tenant(units, email=address(), verified=True)
    person = newcomer()
    come_in(person, provider, f"sub-{made.slug}", made.email)
    person.get("/sso/link")
    assert person.post("/sso/link", {"password": made.password}).status_code == 303
    authenticator, _codes = add_app(units, made)
    other = newcomer()
    assert come_in(other, provider, f"sub-{made.slug}", made.email).location == "/login/factor"
    assert other.get(f"/t/{made.slug}/").status_code == 303
    other.get("/login/factor")
    code = authenticator.code(units.clock.now())
    assert other.post("/login/factor", {"code": code}).status_code == 303
    assert other.get(f"/t/{made.slug}/").status_code == 200


def test_the_four_settings_belong_together(environment: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of them are a mistake that the start names."""
    assert settings().platform_oidc_name == "Fjordgate"
    monkeypatch.delenv("PLATFORM_OIDC_NAME")
    with pytest.raises(ValueError, match="belong together"):
        Settings()  # type: ignore[call-arg]
