"""Units of work and tenants on the run's Postgres, for any test."""

from collections.abc import Callable, Iterator

import pytest

from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Units
from tests.peers.tenants import Made, make_tenant


@pytest.fixture
def units(environment: object, postgres_server: object) -> Iterator[Units]:
    """Units of work as the web process has them."""
    opened = open_units(settings(), settings().database_url.get_secret_value())
    yield opened
    opened.engines.dispose()


@pytest.fixture
def worker_units(environment: object, postgres_server: object) -> Iterator[Units]:
    """Units of work as the worker has them."""
    url = settings().database_worker_url
    assert url is not None
    opened = open_units(settings(), url.get_secret_value())
    yield opened
    opened.engines.dispose()


@pytest.fixture
def tenant(units: Units) -> Made:
    """A tenant of this test's own."""
    return make_tenant(units)


@pytest.fixture
def tenants(units: Units) -> Callable[[], Made]:
    """Makes tenants."""
    return lambda: make_tenant(units)
