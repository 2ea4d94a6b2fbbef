"""A proof given anew at a provider that others have written and certified, which has a session of its own."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from flask import Flask

from app.db.units import Units
from tests.peers import federations
from tests.peers.federations import depart, onward
from tests.peers.oidc_provider import Provider, free_address, oidc_provider
from tests.peers.tenants import Made
from tests.peers.visitors import Person
from tests.plugins.servers import Database

SECRET = "a-secret-of-the-provider's"
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
AGED = "UPDATE auth.sessions SET confirmed_at = 'epoch' WHERE user_id = (SELECT id FROM auth.users WHERE email = %s)"
ACTION = re.compile(r'action="([^"]+)"')


@pytest.fixture
def address() -> str:
    """Where the company's provider will be."""
    return free_address()


@pytest.fixture
def variables(variables: dict[str, str], address: str) -> dict[str, str]:
    """The settings, with that provider allowed by its exact address and port."""
    return {**variables, "OUTBOUND_ALLOWED": address}


@pytest.fixture
def domain() -> str:
    """The company's domain."""
    return federations.domain()


@pytest.fixture
def person(newcomer: Callable[[], Person]) -> Person:
    """Somebody who has not signed up."""
    return newcomer()


@pytest.fixture
def certified(
    app: Flask, tenant: Made, worker_units: Units, person: Person, address: str, domain: str, tmp_path: Path
) -> Iterator[Provider]:
    """The provider, to which the tenant is connected; everybody becomes an administrator."""
    peer = SimpleNamespace(issuer=f"http://{address}", secrets={"client-1": SECRET})
    roles = {"claim": "", "pairs": [], "default": "admin"}
    connection_id = federations.connect(tenant, worker_units, peer, domain, **roles)  # type: ignore[arg-type]
    back = f"{person.base_url}/sso/{connection_id}/callback".replace("https://", "http://")
    client = {"client_id": "client-1", "client_secret": SECRET, "redirect_uris": [back]}
    people = {name: {"email": f"{name}@{domain}", "email_verified": True, "name": name} for name in ("ada", "eve")}
    with oidc_provider(address, [client], people, tmp_path / "provider.log") as started:
        yield started


class Browser:
    """Somebody's browser at the provider, which keeps its cookies."""

    def __init__(self) -> None:
        self.client = httpx.Client(trust_env=False, follow_redirects=True, timeout=20)
        self.asked = 0

    def sign_in(self, url: str, name: str) -> str:
        """Go there, sign in as somebody where one is asked to, consent; return the path and query to come back with."""
        answer = self._go(url)
        while not isinstance(answer, str):
            form = {unescape(hidden): unescape(value) for hidden, value in HIDDEN.findall(answer.text)}
            if 'name="login"' in answer.text:
                form |= {"login": name, "password": "any"}
                self.asked += 1
            found = ACTION.search(answer.text)
            assert found is not None, answer.text
            answer = self._go(unescape(found.group(1)), form)  # a session of somebody else is ended by such a form too
        return answer

    def _go(self, url: str, form: dict[str, str] | None = None) -> httpx.Response | str:
        request = self.client.build_request("GET" if form is None else "POST", url, data=form)
        answer = self.client.send(request, follow_redirects=False)
        while answer.next_request is not None:
            place = urlsplit(str(answer.next_request.url))
            if place.path.startswith("/sso/"):
                return f"{place.path}?{place.query}"
            answer = self.client.send(answer.next_request, follow_redirects=False)
        return answer


def test_it_asks_anew_and_says_so(
    certified: Provider, tenant: Made, person: Person, domain: str, postgres_server: Database
) -> None:
    """A browser with a session there is asked for the password again; a colleague's does not confirm."""
    browser, email = Browser(), f"ada@{domain}"
    assert person.get(browser.sign_in(depart(person, email), "ada")).location == f"/t/{tenant.slug}/"
    assert browser.asked == 1
    wanted = f"/t/{tenant.slug}/keys/new"
    for name, status, asked in (("ada", 303, 2), ("eve", 403, 3)):
        with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
            connection.execute(AGED, [email])
        person.get(person.get(wanted).location)
        url = onward(person.post("/account/confirmation/provider", {"next": wanted}))
        assert person.get(browser.sign_in(url, name)).status_code == status
        assert browser.asked == asked
        assert person.get(wanted).status_code == (200 if status == 303 else 303)
