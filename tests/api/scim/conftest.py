"""Identity providers, asking the application that gunicorn serves."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from app.db.units import Units
from tests.api.conftest import base_url, client
from tests.peers.directories import Directory, choose_plan, issue_token, prove_domain
from tests.peers.tenants import make_tenant
from tests.plugins.servers import Database

__all__ = ["base_url", "client"]


@pytest.fixture
def directories(client: FlaskClient, base_url: str, units: Units) -> Callable[[], Directory]:
    """Makes identity providers, each of a tenant of its own."""

    def make() -> Directory:
        domain = f"d-{secrets.token_hex(4)}.example.org"
        made = make_tenant(units, domain=domain, verified=True)
        choose_plan(made, "enterprise")
        prove_domain(made, domain)
        issued = issue_token(made)
        return Directory(client, base_url, made, domain, issued.token.id, issued.secret)

    return make


@pytest.fixture
def outside(postgres_server: Database) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection, for looking at the directory."""
    with psycopg.connect(postgres_server.superuser) as connection:
        yield connection


@pytest.fixture
def directory(directories: Callable[[], Directory]) -> Directory:
    """An identity provider."""
    return directories()
