"""The application with all its pages, and people at it."""

from collections.abc import Callable

import pytest
from flask import Flask

from app.core.settings import settings
from app.local import assets
from tests.peers.visitors import Person


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """The front end, built."""
    assets.build_assets()


@pytest.fixture
def newcomer(app: Flask) -> Callable[[], Person]:
    """Makes people who have not signed up."""
    address = settings().base_url.replace("http://", "https://")
    return lambda: Person(app, address)


@pytest.fixture
def person(newcomer: Callable[[], Person]) -> Person:
    """The owner of a tenant of this test's own."""
    return newcomer().sign_up()
