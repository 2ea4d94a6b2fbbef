"""Settings that allow a provider on loopback, and a company whose people sign in through it."""

from collections.abc import Callable

import pytest
from flask import Flask

from app.db.units import Units
from tests.peers import federations
from tests.peers.companies import Company
from tests.peers.federations import connect
from tests.peers.openid import OpenIdPeer
from tests.peers.tenants import Made
from tests.peers.visitors import Person


@pytest.fixture
def variables(variables: dict[str, str], provider: OpenIdPeer) -> dict[str, str]:
    """The settings, with a provider on loopback allowed by its exact address and port."""
    return {**variables, "OUTBOUND_ALLOWED": provider.address}


@pytest.fixture
def company(
    app: Flask, tenant: Made, worker_units: Units, provider: OpenIdPeer, newcomer: Callable[[], Person]
) -> Company:
    """A tenant whose people sign in through the provider."""
    domain = federations.domain()
    return Company(tenant, provider, domain, connect(tenant, worker_units, provider, domain), newcomer)
