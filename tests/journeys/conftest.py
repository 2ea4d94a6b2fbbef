"""The whole product and a real browser, for persons' paths through it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.peers.browsers import chromium
from tests.peers.consoles import Console, serving
from tests.plugins.servers import Bolt, Database, make_database, settings_of


@pytest.fixture(scope="session")
def console(
    postgres_server: Database, secret_variables: dict[str, str], temporal_address: str, arcadedb: Bolt
) -> Iterator[Console]:
    """Web, worker, Temporal, graph and target, on a database of the journeys': each makes tenants of its own."""
    variables = {
        **settings_of(make_database(postgres_server.server), secret_variables),
        "TEMPORAL_ADDRESS": temporal_address,
        "NEO4J_URI": arcadedb.uri,
        "NEO4J_USER": arcadedb.user,
        "NEO4J_PASSWORD": arcadedb.password,
        "NEO4J_DATABASE": arcadedb.database,
        "DEMONSTRATION": "true",
    }
    with tempfile.TemporaryDirectory(prefix="console-") as name:
        variables["LOCAL_MAIL_DIR"] = str(Path(name) / "mail")
        with serving(variables, Path(name)) as running:
            yield running


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """The system's Chromium."""
    with chromium(chromium_path) as started:
        yield started
