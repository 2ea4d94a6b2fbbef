"""Programs with a key, asking the application that gunicorn serves."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from app.db.units import Units
from tests.peers.programs import Program, Stock, issue, stock
from tests.peers.tenants import Made
from tests.serving.conftest import base_url, client

__all__ = ["base_url", "client"]


@pytest.fixture(name="program")
def _program(client: FlaskClient, base_url: str, tenants: Callable[[], Made]) -> Callable[..., Program]:
    """Makes programs, each of a tenant of its own unless one is given."""

    def make(
        *scopes: str, of: Made | None = None, lifetime: timedelta | None = None, networks: Sequence[str] = ()
    ) -> Program:
        made = of or tenants()
        return Program(client, base_url, made, *issue(made, *scopes, lifetime=lifetime, networks=networks))

    return make


@pytest.fixture
def stocked(worker_units: Units) -> Callable[[Made], Stock]:
    """Gives a tenant a web address, a document, a finished scan and a finding."""
    return lambda made: stock(made, worker_units)
