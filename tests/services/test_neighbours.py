"""A tenant that is being erased, or whose home is gone, holds up no other: its neighbour's work is done."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy.exc import DataError

from app.core.ids import new_id
from app.core.settings import settings
from app.db.people import DueMail
from app.db.units import Doorway, Unit
from app.db.work import OpenScan
from app.outbox import relay as relays
from app.outbox.mailers import FolderTransport, Mailer
from app.outbox.relay import Delivery, Relay
from app.services import archivists, bookkeepers, censuses, erasers, erasures, failed_sign_ins, stewards, sweepers
from app.services.calls import call_of
from app.services.turns import Turns
from app.serving import key_uses
from app.serving.call_counts import CallCounts
from app.tenancy.context import require_tenant
from app.workflows.reconciler import Reconciler
from tests.peers.erasures import MemoryExecutions, delete
from tests.peers.streets import KIND, Street, evict, fence, make_street, order
from tests.plugins.servers import Database

FAILURES = "SELECT count(*) FROM account.audit_events WHERE tenant_id = %(good)s AND action = 'sign_in.fail'"
CALLS = "SELECT sum(calls) FROM shared.usage_minutes WHERE tenant_id = %(good)s AND minute > now() - interval '1 hour'"


@pytest.fixture
def street(environment: object, fresh_database: Database) -> Iterator[Street]:
    """Both, while the first one is still as good as its neighbour."""
    made = make_street(fresh_database)
    yield made
    made.close()


@pytest.fixture(params=[fence, evict])
def trouble(request: pytest.FixtureRequest, street: Street) -> Street:
    """The street once the first one's erasure has begun, or its home is gone."""
    request.param(street)
    return street


def test_the_loops_go_on_with_the_neighbour(trouble: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """One tenant in a turn, and the bad one first: with its second turn each loop has done the neighbour's work."""
    for place in (bookkeepers, sweepers, stewards, censuses):
        monkeypatch.setattr(place, "MOST_TENANTS", 1)
    for made in (trouble.bad, trouble.good):
        order(trouble, made)
    units, key = trouble.worker, settings().master
    steward = stewards.Steward(units)
    for loop in (bookkeepers.Bookkeeper(units), sweepers.Sweeper(units), steward):
        loop.run_once()
        loop.run_once()
    steward.end_overrides()
    steward.end_overrides()
    with psycopg.connect(trouble.database.superuser) as connection:
        connection.execute("TRUNCATE auth.tenant_usage")  # the steward has counted too
    for twice in (censuses.Census(units), archivists.Archivist(units, key)):
        twice.run_once()
        twice.run_once()
    for done in (
        "SELECT until = shortened FROM auth.usage_books WHERE tenant_id = %(good)s",
        "SELECT count(*) = 0 FROM auth.answers_due WHERE tenant_id = %(good)s AND due_at < now()",
        "SELECT bool_and(done_at IS NOT NULL) FROM auth.staff_orders WHERE tenant_id = %(good)s",
        "SELECT bool_or(ended_at IS NOT NULL) FROM control.plan_overrides WHERE tenant_id = %(good)s",
        "SELECT at IS NOT NULL FROM auth.tenant_usage WHERE tenant_id = %(good)s",
        "SELECT archived_at IS NOT NULL FROM auth.tenants WHERE tenant_id = %(good)s",
    ):
        assert trouble.ask(done) is True, done


def test_who_is_being_erased_takes_no_place_in_a_census(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one place the neighbour is counted in the first turn, and whoever is being erased never."""
    monkeypatch.setattr(censuses, "MOST_TENANTS", 1)
    fence(street)
    census = censuses.Census(street.worker)
    assert [census.run_once() for _ in range(2)] == [1, 0]
    assert street.ask("SELECT array_agg(tenant_id) = ARRAY[%(good)s::uuid] FROM auth.tenant_usage") is True


def test_failed_sign_ins_are_written_once_each(trouble: Street) -> None:
    """What cannot be written into one log is tried again, and into the neighbour's it is written a single time."""
    with psycopg.connect(trouble.database.superuser) as connection:  # one person in both
        connection.execute(
            "INSERT INTO auth.memberships "
            "SELECT (jsonb_populate_record(m, jsonb_build_object('tenant_id', %s::uuid))).* "
            "FROM auth.memberships m WHERE tenant_id = %s",
            [trouble.good.id, trouble.bad.id],
        )
    loop = failed_sign_ins.FailureLog(trouble.worker)
    for _ in range(3):
        loop.run_once()
        with psycopg.connect(trouble.database.superuser) as connection:
            connection.execute("UPDATE auth.sign_in_failures SET lease_until = NULL")
    assert trouble.ask(FAILURES) == 2


def test_one_mail_that_cannot_be_written_leaves_the_others(street: Street, tmp_path: Path) -> None:
    """The database refuses what one mail asks for: the others go out with the same turn, it is put off."""

    def compose(_door: Doorway, mail: DueMail) -> EmailMessage:
        if mail.recipient == street.bad.email:
            raise DataError("SELECT", None, Exception("a value that will not do"))
        message = EmailMessage()
        message["To"], message["Message-ID"] = mail.recipient, f"<{mail.id}@example.com>"
        return message

    assert Mailer(street.worker, FolderTransport(tmp_path), compose).run_once() == 2
    [sent] = tmp_path.glob("*.eml")
    assert street.good.email in sent.read_text()
    assert street.ask("SELECT count(*) FROM auth.mails WHERE last_error = 'DataError' AND due_at > now()") == 1


def test_an_effect_that_went_with_its_tenant_holds_no_thread(street: Street) -> None:
    """An effect whose row is gone is let go at once; the neighbour's is carried out."""
    with psycopg.connect(street.database.superuser) as connection:
        connection.execute("SET session_replication_role = replica")  # its mirror in the directory stays
        connection.execute("DELETE FROM account.outbox WHERE tenant_id = %s AND kind = %s", [street.bad.id, KIND])
    done: list[UUID] = []

    def handle(delivery: Delivery) -> None:
        done.append(delivery.tenant_id)

    begun = time.monotonic()
    assert Relay(street.worker, {KIND: handle}, listen_url=None).run_once() == 2
    assert done == [street.good.id] and time.monotonic() - begun < relays.LEASE.total_seconds()


def test_calls_are_counted_past_a_tenant_that_takes_none(trouble: Street) -> None:
    """One batch: the neighbour's calls are counted at once, and the bad one's never stand before anybody's again."""
    counts, now = CallCounts(trouble.web, seconds=3600), datetime.now(UTC)
    for turn in range(2):
        for made in (trouble.bad, trouble.good):
            call = call_of(made.actor, now, method="GET", endpoint="/", status=200, microseconds=1)
            counts.note(made.id, call, written=False)
        counts.flush()
        assert trouble.ask(CALLS) == turn + 1
    assert [batch.tenant_id for batch in counts._batches] in ([], [trouble.bad.id] * 2)


def test_renewed_secrets_go_on(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that cannot be hashed anew leaves the neighbour's to be."""
    done: list[UUID] = []

    def rehash(unit: Unit, *_given: object) -> None:
        if unit.tenant_id == street.bad.id:
            raise RuntimeError
        done.append(unit.tenant_id)

    monkeypatch.setattr(key_uses, "rehash_secret", rehash)
    uses = key_uses.KeyUses(street.web, b"pepper", seconds=3600)
    for made in (street.bad, street.good):
        renewed = key_uses._Renewed(made.id, new_id(), b"hash")
        uses._renewed[renewed.secret_id] = renewed
    uses.flush()
    assert done == [street.good.id]


def test_an_erasure_that_cannot_begin_leaves_the_others(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time, and the first one fails each time: the next one's begins, and goes on."""
    for made in (street.bad, street.good):
        delete(street.database, made.id)
    begin = erasures.begin_erasure

    def begun(unit: Unit) -> None:
        if unit.tenant_id == street.bad.id:
            raise RuntimeError
        begin(unit)

    monkeypatch.setattr(erasures, "begin_erasure", begun)
    monkeypatch.setattr(erasers, "MOST_BEGUN", 1)
    key = settings().master
    eraser = erasers.Eraser(street.worker, key, None, MemoryExecutions())
    for _ in range(3):
        eraser.run_once()
    assert street.ask("SELECT count(*) FROM auth.erasures WHERE tenant_id = %(good)s") == 1


def test_waiting_scans_are_looked_at_past_one_that_fails() -> None:
    """Of scans that wait for a place each tenant's first one is looked at, whatever becomes of another's."""
    tenants, seen = [new_id() for _ in range(4)], []

    class Records:
        def open_scans(self, _older_than: timedelta) -> list[OpenScan]:
            return [OpenScan(each, new_id(), "x", "queued", False, datetime.now(UTC)) for each in tenants]

        def fail(self, _scan_id: UUID, _reason: str) -> None: ...

        def readmit(self, _scan_id: UUID) -> None:
            seen.append(require_tenant())
            if len(seen) < len(tenants):
                raise RuntimeError

    nobody: Any = None
    asyncio.run(Reconciler(nobody, Records(), lambda _tenant: None).look())
    assert seen == tenants


def test_turns_forget_who_is_due_no_more() -> None:
    """Who failed comes last, until it is done or not asked for any more."""
    line = ["a", "b", "c"]
    question: Callable[[int], list[str]] = lambda most: line[:most]  # noqa: E731
    turns = Turns[str](lambda due: due)
    assert turns.take(question, 2) == ["a", "b"]
    turns.note("a", done=False)
    assert turns.take(question, 2) == ["b", "c"]
    turns.note("b", done=False)
    assert turns.take(question, 2) == ["c", "a"]
    line.remove("a")
    assert turns.take(question, 3) == ["c", "b"]
    line.insert(0, "a")
    assert turns.take(question, 1) == ["a"]
    turns.note("b", done=True)
    assert turns.take(question, 3) == ["a", "b", "c"]
