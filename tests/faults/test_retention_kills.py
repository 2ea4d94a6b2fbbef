"""kill -9 of the worker while it shortens audit logs and mails their heads: all on record, whole, one mail a day."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from email import policy
from email.parser import BytesParser
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from click.testing import Result

from app.core.permissions import Role
from app.db.units import Home
from app.services import checkpoints
from app.services.sealers import Sealer
from tests.peers.members import make_member
from tests.peers.mortals import AFTER, BEFORE
from tests.peers.tenants import Made, make_tenant
from tests.peers.workers import WorkerInProcess
from tests.plugins.servers import Database, settings_of
from tests.services.test_audit_retention import then
from tests.services.test_audit_seals import check, heads_of, sealed_export, sealer, write

__all__ = ["check", "sealer"]
pytestmark = pytest.mark.postgres
OLD, SEALS = 120, 5  # events under each of so many seals
EVENTS = "SELECT id FROM {home}.audit_events WHERE tenant_id = %s"
REMOVALS = "SELECT max(up_to) FROM shared.audit_removals WHERE tenant_id = %s"


@pytest.fixture
def variables(fresh_database: Database, secret_variables: dict[str, str]) -> dict[str, str]:
    """The settings of an installation of this test's own."""
    return settings_of(fresh_database, secret_variables)


class Archive:
    """A worker in haste, whose mail goes into a folder."""

    def __init__(self, variables: dict[str, str], folder: Path, tenant_id: UUID) -> None:
        self.folder, self.tenant_id, self.runs = folder, tenant_id, 0
        self.mail = folder / "mail"
        self.told = {**variables, "DATABASE_URL": variables["DATABASE_WORKER_URL"], "DEMONSTRATION": "true"}
        self.told["LOCAL_MAIL_DIR"] = str(self.mail)

    def begin(self, step: str = "-", moment: str = "-") -> WorkerInProcess:
        """Start it, to die at a step."""
        self.runs += 1
        log = self.folder / f"{self.runs}.log"
        return WorkerInProcess(self.told, log, "tests.peers.mortals", "archive", str(self.tenant_id), step, moment)

    def letters(self) -> Counter[tuple[str, str]]:
        """Return how many checkpoints each owner got, by address and subject, which names the day."""
        found = [BytesParser(policy=policy.default).parsebytes(each.read_bytes()) for each in self.mail.glob("*.eml")]
        return Counter(
            (str(each["To"]), str(each["Subject"])) for each in found if "checkpoint" in str(each["Subject"])
        )


def events(database: Database, made: Made, home: str = "shared") -> set[UUID]:
    with psycopg.connect(database.superuser) as seen:
        return {row[0] for row in seen.execute(EVENTS.format(home=home).encode(), [made.id]).fetchall()}


def on_record(database: Database, made: Made) -> int:
    with psycopg.connect(database.superuser) as seen:
        row = seen.execute(REMOVALS.encode(), [made.id]).fetchone()
    return int((row and row[0]) or 0)


def until(seconds: float, fact: Callable[[], object]) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def aged(tenant: Made, sealer: Sealer, fresh_database: Database) -> list[set[UUID]]:
    """The tenant's log: the events under each of its old seals, of which the plan keeps none, and the young ones."""
    old, under = then(tenant, 400), []
    for _ in range(SEALS):
        before = events(fresh_database, tenant)
        write(old, *["scan.old"] * OLD)
        sealer.run_once()
        under.append(events(fresh_database, tenant) - before)
    before = events(fresh_database, tenant)
    write(tenant, "scan.young_a", "scan.young_b")
    sealer.run_once()
    return [*under, events(fresh_database, tenant) - before]


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_nothing_leaves_a_log_but_on_record(
    tenant: Made,
    aged: list[set[UUID]],
    sealer: Sealer,
    check: Callable[..., Result],
    fresh_database: Database,
    variables: dict[str, str],
    tmp_path: Path,
) -> None:
    """Killed around each commit and at random: what is gone is on record, the rest whole, each has one mail a day."""
    chance = random.Random(int(os.environ.get("KILLS_SEED") or random.randrange(10**6)))
    second, beside = make_member(tenant, Role.OWNER), make_tenant(tenant.units)
    write(beside, "scan.young")
    sealer.run_once()
    neighbour = events(fresh_database, beside)
    archive, whole = Archive(variables, tmp_path, tenant.id), set.union(*aged)

    def examine() -> int:
        """Return how many events are gone, each of them on record, from a log that is whole."""
        gone, recorded = whole - events(fresh_database, tenant), on_record(fresh_database, tenant)
        assert gone <= set.union(set(), *aged[:recorded]), "gone, and not on record"
        sealer.run_once()
        found = check(sealed_export(tenant), *heads_of(tenant))
        assert found.exit_code == 0 and "unchecked" not in found.output, found.output
        assert all(number == 1 for number in archive.letters().values())
        assert events(fresh_database, beside) == neighbour
        return len(gone)

    counts = []
    for step in ("mark", "remove"):
        for moment in (BEFORE, AFTER):
            assert archive.begin(step, moment).process.wait(120) == -9
            counts.append((examine(), on_record(fresh_database, tenant)))
    assert counts == [(0, 0), (0, SEALS), (0, SEALS), (5, SEALS)]
    for _ in range(3):
        process, gone = archive.begin(), examine()
        if gone < OLD * SEALS:  # the last one may have come to the end
            until(120, lambda gone=gone: len(whole - events(fresh_database, tenant)) > gone)
        time.sleep(chance.uniform(0, 0.2))
        process.kill()
        assert examine() > gone or gone == OLD * SEALS
    for asking in (tenant, second, beside):
        with asking.unit(Home.ACCOUNT) as unit:
            checkpoints.ask(unit)
            unit.commit()
    for moment in (BEFORE, AFTER):
        assert archive.begin("checkpoint", moment).process.wait(120) == -9
        assert examine() == OLD * SEALS
    for _ in range(2):
        process = archive.begin()
        process.wait_for("worker.relays")
        until(120, lambda: len(archive.letters()) == 3)
        time.sleep(2)
        assert process.end() == 0
    assert examine() == OLD * SEALS and {each.email for each in (tenant, second, beside)} == {
        to for to, _subject in archive.letters()
    }
    with psycopg.connect(fresh_database.superuser) as seen:
        said = seen.execute("SELECT after FROM shared.audit_events WHERE action = 'audit.expire'").fetchall()
    assert [row[0]["events"] for row in said] == [OLD * SEALS]
