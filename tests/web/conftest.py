"""The application with all its pages, and people at it."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from app.core.settings import settings
from tests.peers.openid import OpenIdPeer, openid_peer
from tests.peers.visitors import Person


@pytest.fixture
def newcomer(app: Flask) -> Callable[[], Person]:
    """Makes people who have not signed up."""
    address = settings().base_url.replace("http://", "https://")
    return lambda: Person(app, address)


@pytest.fixture
def person(newcomer: Callable[[], Person]) -> Person:
    """The owner of a tenant of this test's own."""
    return newcomer().sign_up()


@pytest.fixture
def owner(newcomer: Callable[[], Person]) -> Person:
    """Somebody who has just signed up, from an address of their own."""
    return newcomer().moved().sign_up()


@pytest.fixture
def provider() -> Iterator[OpenIdPeer]:
    """An OpenID provider."""
    with openid_peer() as peer:
        yield peer


@pytest.fixture
def call(app: Flask) -> Callable[..., int]:
    """Calls the API with a secret; what was used is written at once."""

    def ask(person: Person, secret: str, agent: str = "nightly/2.1") -> int:
        headers = {"X-API-Key": secret, "User-Agent": agent}
        answer = app.test_client().get("/api/v1/scans", base_url=person.base_url, headers=headers)
        app.extensions["sentinel"].key_uses.flush()
        return answer.status_code

    return ask
