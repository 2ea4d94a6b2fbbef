"""`make run` in a checkout of its own: it answers, stops, survives kill -9, and leaves others alone."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app.local import keys
from app.local.postgres import SUPERUSER, PostgresServer
from tests.peers.checkouts import Run, bare_environment, copy_checkout
from tests.peers.patience import ended, within
from tests.plugins.servers import Bolt, Database, settings_of

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]


@pytest.fixture
def checkout() -> Iterator[Callable[[], Path]]:
    """Makes copies of this checkout, removed afterwards."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="checkout-")))
        return copy_checkout(made[-1], with_environment=True)

    yield make
    for directory in made:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    """Starts runs, stopped afterwards."""
    made: list[Run] = []

    def start(checkout: Path, **given: str) -> Run:
        made.append(Run(checkout, bare_environment(given)).start())
        return made[-1]

    yield start
    for one in made:
        one.stop()


def superuser_url(checkout: Path) -> str:
    """The superuser's URL of a checkout's own Postgres."""
    state = checkout / ".local"
    return PostgresServer(state / "data" / "postgres", keys.load(state / "secrets.json")).url(SUPERUSER, "sentinel")


def test_it_answers_stops_and_keeps_the_data(checkout: Callable[[], Path], run: Callable[..., Run]) -> None:
    """A run answers at the printed address, Ctrl-C ends all that it started, the next run has the same data."""
    directory = checkout()
    first = run(directory)
    address = first.address()
    assert first.health(address) == 200
    first.wait_for("sign in as")
    first.wait_for("all parts run")
    pids = first.children()
    assert set(pids) == {"postgres", "temporal", "graph", "target", "web", "platform", "worker"}
    with psycopg.connect(superuser_url(directory)) as connection:
        connection.execute("CREATE TABLE public.kept AS SELECT 1 AS a")
    assert first.stop() == 0
    assert all(ended(pid) for pid in pids.values())

    second = run(directory)
    assert second.address() == address
    with psycopg.connect(superuser_url(directory)) as connection:
        assert connection.execute("SELECT a FROM public.kept").fetchone() == (1,)
    assert second.stop(signal.SIGTERM) == 0


def test_kill_9_blocks_nothing(checkout: Callable[[], Path], run: Callable[..., Run]) -> None:
    """After kill -9 at any point, also half-way through the first start, the next run takes over and answers."""
    directory = checkout()
    for moment in ("Postgres runs", "Sentinel is at", "Temporal runs", "all parts run"):
        one = run(directory)
        one.wait_for(moment)
        pids = one.children()
        one.process.kill()
        one.process.wait()
        again = run(directory)
        assert again.health(again.address()) == 200
        assert all(ended(pid) for pid in pids.values())
        assert again.stop() == 0


def test_killed_parts_come_back(checkout: Callable[[], Path], run: Callable[..., Run]) -> None:
    """Each part that is killed with -9 is named and runs again; the console answers afterwards."""
    one = run(checkout())
    address = one.address()
    one.wait_for("all parts run")
    for name, pid in one.children().items():
        os.kill(pid, signal.SIGKILL)
        assert ".log" in one.wait_for(f"{name} ended", 60)

    def answers() -> bool:
        try:
            return one.health(address) == 200
        except OSError:
            return False

    assert within(120, answers)


def test_two_checkouts_run_beside_each_other(checkout: Callable[[], Path], run: Callable[..., Run]) -> None:
    """Two checkouts have their own addresses, servers and keys; a second run in one of them is refused."""
    one, two = run(checkout()), run(checkout())
    first, second = one.address(), two.address()
    assert first != second
    assert one.health(first) == two.health(second) == 200
    assert superuser_url(one.checkout) != superuser_url(two.checkout)
    refused = run(one.checkout)
    assert "already runs" in refused.wait_for("Sentinel cannot run", 90)
    assert refused.process.wait(60) == 1
    port = first.rpartition(":")[2]
    taken = run(checkout(), PORT=port)
    assert f"port {port} is taken" in taken.wait_for("Sentinel cannot run", 90)
    assert taken.process.wait(60) == 1


def test_what_a_url_configures_is_not_started(
    checkout: Callable[[], Path],
    run: Callable[..., Run],
    fresh_database: Database,
    temporal_address: str,
    arcadedb: Bolt,
    secret_variables: dict[str, str],
) -> None:
    """With the URLs set, a run starts its own three processes alone, without demonstration data."""
    given = settings_of(fresh_database, secret_variables)
    given |= {"TEMPORAL_ADDRESS": temporal_address, "NEO4J_URI": arcadedb.uri, "NEO4J_USER": arcadedb.user}
    given |= {"NEO4J_PASSWORD": arcadedb.password, "NEO4J_DATABASE": arcadedb.database}
    directory = checkout()
    one = run(directory, **given)
    one.wait_for("all parts run")
    assert set(one.children()) == {"web", "platform", "worker"}
    assert not (directory / ".local" / "data").exists()
    assert not any("demonstration" in line for line in one.lines)


def test_what_is_missing_is_named_in_one_line(checkout: Callable[[], Path], run: Callable[..., Run]) -> None:
    """A setting that the caller must give, and did not, ends the run with one line and no traceback."""
    one = run(checkout(), DATABASE_URL="postgresql://sentinel_app@127.0.0.1:1/sentinel")
    line = one.wait_for("Sentinel cannot run")
    assert one.process.wait(60) == 1
    assert "web" in line or "migration" in line
    assert not any("Traceback" in line for line in one.lines)
