"""The whole product and a real browser, for persons' paths through it."""

import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.peers.browsers import chromium
from tests.peers.consoles import Console, serving
from tests.plugins.servers import Bolt, Database, make_database, settings_of

HERE = Path(__file__).parent


class _Kept:
    """The console, for as long as one journey follows another: what it writes would disturb other tests."""

    console: Console | None = None
    ends: ExitStack | None = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """End the console with the last journey."""
    try:
        return (yield)
    finally:
        if (nextitem is None or HERE not in nextitem.path.parents) and _Kept.ends is not None:
            _Kept.ends.close()
            _Kept.console = _Kept.ends = None


@pytest.fixture(scope="module")
def console(
    postgres_server: Database, secret_variables: dict[str, str], temporal_address: str, arcadedb: Bolt
) -> Console:
    """Web, worker, Temporal, graph and target, on a database of the journeys': each makes tenants of its own."""
    if _Kept.console is not None:
        return _Kept.console
    variables = {
        **settings_of(make_database(postgres_server.server), secret_variables),
        "TEMPORAL_ADDRESS": temporal_address,
        "NEO4J_URI": arcadedb.uri,
        "NEO4J_USER": arcadedb.user,
        "NEO4J_PASSWORD": arcadedb.password,
        "NEO4J_DATABASE": arcadedb.database,
        "DEMONSTRATION": "true",
    }
    with ExitStack() as begun:
        folder = Path(begun.enter_context(tempfile.TemporaryDirectory(prefix="console-")))
        variables["LOCAL_MAIL_DIR"] = str(folder / "mail")
        _Kept.console = begun.enter_context(serving(variables, folder))
        _Kept.ends = begun.pop_all()
    return _Kept.console


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """The system's Chromium."""
    with chromium(chromium_path) as started:
        yield started
