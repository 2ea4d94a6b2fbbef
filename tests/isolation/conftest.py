"""Two tenants with real rows in every table, and units of work with each layer on or off."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.core.crypto import CachedKeyRing
from app.core.settings import settings
from app.db.engines import Engines, make_engine
from app.db.units import Units
from tests.peers import rows
from tests.peers.rows import Planted, Shape
from tests.peers.sides import Side, side_of
from tests.peers.tenants import Made
from tests.plugins.servers import Database

UnitsOf = Callable[..., Units]


@pytest.fixture(scope="session")
def every_shape(postgres_server: Database) -> list[Shape]:
    """Every tenant table, each after those that it refers to."""
    return rows.shapes(postgres_server.superuser)


@pytest.fixture(scope="session")
def planted(postgres_server: Database, every_shape: list[Shape]) -> Iterator[Callable[[], Planted]]:
    """Makes tenants with one row in every table, committed as the worker's login, which may write to each."""
    with psycopg.connect(postgres_server.worker) as connection:
        yield lambda: rows.plant(connection, every_shape)


@pytest.fixture(scope="session")
def outside(postgres_server: Database) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection, which no policy binds."""
    with psycopg.connect(postgres_server.superuser) as connection:
        yield connection


@pytest.fixture(scope="session")
def units_of() -> Iterator[UnitsOf]:
    """Returns units of work on a URL, with or without the ORM's criterion; the pool holds one connection."""
    engines: dict[str, Engines] = {}

    def make(url: str, *, criterion: bool = True, pool: int = 1) -> Units:
        if url not in engines:
            engines[url] = Engines(make_engine(url, pool_size=pool))
        return Units(engines[url], CachedKeyRing(bytes(32), lambda _tenant: None), criterion=criterion)

    yield make
    for each in engines.values():
        each.dispose()


@pytest.fixture
def sides(app: Flask, tenants: Callable[[], Made], worker_units: Units) -> tuple[Side, Side]:
    """Two tenants."""
    address = settings().base_url.replace("http://", "https://")
    return side_of(app, address, tenants(), worker_units), side_of(app, address, tenants(), worker_units)
