"""The staff's application, and a member of staff at it."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Units
from app.factory import create_platform_app
from tests.peers.staff import StaffMember, enrolled, hire
from tests.plugins.servers import Database


@pytest.fixture(autouse=True)
def ops(postgres_server: Database) -> None:
    """The member of staff whom commands name."""
    hire(postgres_server.superuser)


@pytest.fixture
def platform(environment: object, postgres_server: object, built: object) -> Iterator[Flask]:
    """The staff's application."""
    made = create_platform_app()
    yield made
    made.extensions["sentinel"].units.engines.dispose()


@pytest.fixture
def platform_units(environment: object, postgres_server: object) -> Iterator[Units]:
    """Units of work as the staff's process has them."""
    url = settings().database_platform_url
    assert url is not None
    opened = open_units(settings(), url.get_secret_value())
    yield opened
    opened.engines.dispose()


@pytest.fixture
def member(platform: Flask, platform_units: Units) -> StaffMember:
    """A member of staff who is signed in."""
    return enrolled(platform, platform_units).sign_in()
