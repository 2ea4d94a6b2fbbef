"""kill -9 of the worker, again and again, while a tenant with everything is erased: only the certificate is left."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from flask import Flask

from app.cli import main
from app.core.settings import settings
from app.db.units import Home, Units
from app.graph.gateway import Graph, open_graph
from app.services import erasure_certificates, lifecycles
from tests.peers.archives import take_out
from tests.peers.erasures import kept, release
from tests.peers.estates import Estate, accept_scans, complete, enlarge, found_estate
from tests.peers.remains import digest, in_files, in_graph, in_statistics, in_tables, in_temporal, nodes_of
from tests.peers.rows import shapes
from tests.peers.staff import StaffMember
from tests.peers.workers import WorkerInProcess, working
from tests.platform.conftest import member, platform, platform_units
from tests.plugins.servers import Bolt, Database, settings_of

__all__ = ["member", "platform", "platform_units"]
pytestmark = [pytest.mark.temporal, pytest.mark.postgres, pytest.mark.graph, pytest.mark.xdist_group("graph")]
Working = Callable[[str], AbstractContextManager[WorkerInProcess]]
REASON = "They asked for it in writing"
STEPS = ("settle", "key", "directory", "rows", "rows", "executions", "graph", "scan")
# What names the tenant afterwards: the erasure with its certificate, and the staff's own log.
STAYS = {"auth.erasures", "auth.staff_events", "auth.staff_orders"}
# A person's account is theirs, and so are what it was mailed (two days) and who failed to come in by it (an hour).
OWN = {"auth.users": {"email"}, "auth.mails": {"recipient"}, "auth.sign_in_failures": {"email"}}
LOOKED_OVER = "SELECT archived_at FROM auth.tenants WHERE tenant_id = %(id)s"
STEP = "SELECT step FROM auth.erasures WHERE tenant_id = %(id)s"
QUIET = (
    "SELECT (SELECT count(*) FROM auth.effects_due WHERE tenant_id = %(id)s) "
    "+ (SELECT count(*) FROM auth.audit_unsealed WHERE tenant_id = %(id)s) "
    "+ (SELECT count(*) FROM auth.mails WHERE done_at IS NULL) "
    "+ (SELECT count(*) FROM auth.sign_in_failures WHERE done_at IS NULL) "
    "+ (SELECT count(*) FROM auth.open_scans WHERE tenant_id = %(id)s)"
)


@pytest.fixture
def variables(
    fresh_database: Database, secret_variables: dict[str, str], arcadedb: Bolt, temporal_address: str
) -> dict[str, str]:
    """The settings of an installation of this test's own."""
    return settings_of(fresh_database, secret_variables) | {
        "TEMPORAL_ADDRESS": temporal_address,
        "NEO4J_URI": arcadedb.uri,
        "NEO4J_USER": arcadedb.user,
        "NEO4J_PASSWORD": arcadedb.password,
        "NEO4J_DATABASE": arcadedb.database,
    }


@pytest.fixture
def worker(variables: dict[str, str], tmp_path: Path) -> Working:
    """Runs a worker, with a folder for mail and one for what is temporary."""
    for name in ("mail", "tmp"):
        (tmp_path / "files" / name).mkdir(parents=True, exist_ok=True)
    told = {**variables, "DATABASE_URL": variables["DATABASE_WORKER_URL"], "DEMONSTRATION": "true"}
    told |= {"LOCAL_MAIL_DIR": str(tmp_path / "files" / "mail"), "TMPDIR": str(tmp_path / "files" / "tmp")}
    return lambda name: working(told, tmp_path / f"{name}.log")


@pytest.fixture
def graph() -> Iterator[Graph]:
    """The graph as the web process reads it."""
    given = settings()
    made = open_graph(given.neo4j_uri, given.neo4j_user, given.neo4j_password.get_secret_value(), given.neo4j_database)
    assert made is not None
    yield made
    made.close()


def until(seconds: float, fact: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def ask(database: Database, statement: str, tenant_id: UUID) -> object:
    with psycopg.connect(database.superuser) as seen:
        row = seen.execute(statement.encode(), {"id": tenant_id}).fetchone()
    return row and row[0]


def live(database: Database, worker: Working, estates: list[Estate], graph: Graph) -> None:
    """Let a worker scan, seal, mail, project and sign until all is quiet, and take each tenant's data out."""
    with worker("before") as process:
        process.wait_for("worker.ready")
        for estate in estates:
            accept_scans(estate)
        for estate in estates:
            until(180, lambda tenant_id=estate.id: ask(database, QUIET, tenant_id) == 0, "not quiet")
            assert take_out(estate.made, graph)
            until(180, lambda tenant_id=estate.id: ask(database, LOOKED_OVER, tenant_id), "not looked over")
            until(180, lambda tenant_id=estate.id: ask(database, QUIET, tenant_id) == 0, "not quiet after the export")
        assert process.end() == 0


def order(member: StaffMember, estate: Estate) -> None:
    """Close the tenant as its owner does, and have it erased as staff do: by typing its slug."""
    with estate.made.unit(Home.ACCOUNT) as unit:
        lifecycles.delete_tenant(unit, estate.made.slug)
        unit.commit()
    form, page = {"reason": REASON, "plan": "free"}, f"/tenants/{estate.id}/erasure"
    member.get(page)
    assert member.post(page, {**form, "slug": "another"}).status_code == 422
    assert member.post(page, {**form, "slug": estate.made.slug}).status_code == 303


def besiege(database: Database, worker: Working, tenant_id: UUID, chance: random.Random) -> list[str]:
    """Kill one worker after the other as the erasure comes to each of its steps; return where it was each time."""
    where = []
    for wanted in STEPS:
        with worker(f"killed-{len(where)}") as process:
            process.wait_for("worker.ready")
            until(240, lambda step=wanted: reached(database, tenant_id, step), f"never came to {wanted}")
            time.sleep(chance.uniform(0, 0.2))
            process.kill()
        where.append(str(ask(database, STEP, tenant_id)))
        release(database)  # as when the lease of the killed one is over
    return where


def reached(database: Database, tenant_id: UUID, wanted: str) -> bool:
    order = (*dict.fromkeys(STEPS), "done")
    step = ask(database, STEP, tenant_id)
    return step is not None and order.index(str(step)) >= order.index(wanted)


def certified(member: StaffMember, database: Database, estate: Estate, folder: Path) -> None:
    """The certificate from the console holds by the public key alone, says what went, and names nobody."""
    sent = member.get(f"/erasures/{estate.id}/certificate").data
    (folder / "file").write_bytes(sent)
    (folder / "key").write_bytes(member.get("/erasures/key").data)
    told = ["tenants", "verify-certificate", str(folder / "file"), "--key", str(folder / "key")]
    assert CliRunner().invoke(main, told).exit_code == 0
    body, faults = erasure_certificates.verify(*kept(database, estate.id))
    assert faults == [] and erasure_certificates.total(body["left"]) == 0
    assert all(body["removed"]["rows"][shape.name] > 0 for shape in shapes(database.superuser)), body["removed"]
    assert body["removed"]["executions"] and body["removed"]["graph"]["nodes"] > 0
    assert not [word for word in (*estate.people, *estate.names, *estate.guests) if word.encode() in sent]


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_nothing_is_left_of_a_tenant_with_everything(
    app: Flask,
    member: StaffMember,
    worker_units: Units,
    worker: Working,
    graph: Graph,
    fresh_database: Database,
    arcadedb: Bolt,
    temporal_address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ordered by its slug, besieged, certified: no column, node, execution or file names it; the next one is whole."""
    seed = int(os.environ.get("KILLS_SEED") or random.randrange(10**6))
    app.config["PREFERRED_URL_SCHEME"] = "https"
    address = settings().base_url.replace("http://", "https://")
    estate, beside = (found_estate(app, address, worker_units) for _ in range(2))
    live(fresh_database, worker, [estate, beside], graph)
    complete(fresh_database, estate, directory=True)
    complete(fresh_database, beside, directory=False)
    enlarge(fresh_database, estate)
    assert {shape.name for shape in shapes(fresh_database.superuser)} <= set(in_tables(fresh_database, [estate.id]))
    assert in_graph(arcadedb, [estate.id]) and in_temporal(temporal_address, [estate.id])
    before, nodes = digest(fresh_database, beside.id), nodes_of(arcadedb, beside.id)
    executions = in_temporal(temporal_address, [beside.id])
    order(member, estate)
    where = besiege(fresh_database, worker, estate.id, random.Random(seed))
    with capsys.disabled():
        print(f"\nKILLS_SEED={seed}: killed at {', '.join(where)}")
    assert len(set(where)) > 3
    with worker("last") as process:
        process.wait_for("worker.ready")
        until(300, lambda: reached(fresh_database, estate.id, "done"), "no certificate")
        assert process.end() == 0
    certified(member, fresh_database, estate, tmp_path)
    assert in_tables(fresh_database, [estate.id]).keys() == STAYS
    assert in_tables(fresh_database, [estate.made.slug]).keys() == STAYS | {"auth.held_slugs"}
    assert in_tables(fresh_database, [estate.company, *estate.guests]) == {}
    found = in_tables(fresh_database, estate.people)
    assert all(columns <= OWN.get(table, set()) for table, columns in found.items()), found
    assert in_tables(fresh_database, estate.names) == {"auth.users": {"name"}}
    assert in_statistics(fresh_database, [estate.id, estate.made.slug, estate.company, *estate.guests]) <= STAYS
    assert in_graph(arcadedb, [estate.id, estate.made.slug, estate.company, *estate.people, *estate.names]) == []
    assert in_temporal(temporal_address, [estate.id]) == []
    assert in_files(tmp_path / "files", [estate.id]) == []
    assert list((tmp_path / "files" / "tmp").rglob("*")) == []
    assert digest(fresh_database, beside.id) == before
    assert (nodes_of(arcadedb, beside.id), in_temporal(temporal_address, [beside.id])) == (nodes, executions)
