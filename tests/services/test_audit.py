"""The audit log: filters, pages, exports that are complete, and that nobody can change it."""

import csv
import io
import json
import threading
import tracemalloc
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import select, text

from app.core.errors import MalformedRequest, PermissionDenied
from app.core.ids import new_id
from app.core.permissions import Role, permissions_of
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Units
from app.models.trails import AuditEvent
from app.services import audit, audit_exports
from app.services.audit import EVERYTHING, EventFilter
from app.tenancy.actors import Actor, ActorKind
from tests.peers.floods import flood, stream
from tests.peers.tenants import Made, make_tenant
from tests.plugins.servers import Database


def write(made: Made, *actions: str, home: Home = Home.CONTENT, **values: object) -> None:
    with made.unit(home) as unit:
        for action in actions:
            audit.record(unit, action, action.split(".")[0], None, after=dict(values) or None)
        unit.commit()


def exported(made: Made, form: str = "ndjson", wanted: EventFilter = EVERYTHING) -> bytes:
    with made.unit(Home.ACCOUNT) as unit:
        begun = audit_exports.begin_export(unit, form, wanted)
        unit.commit()
    return b"".join(audit_exports.stream(made.units, begun))


def actions(made: Made, wanted: EventFilter = EVERYTHING) -> list[str]:
    with made.unit() as unit:
        return [row.action for row in audit.list_events(unit, wanted).rows]


def test_an_event_that_goes_with_the_commit_is_as_any_other(tenant: Made) -> None:
    """Written either way the row says the same, and neither is there without the commit."""
    target, after = new_id(), {"asset": "ä", "tool": "text"}
    actor = Actor(ActorKind.KEY, new_id(), "Tests", address="203.0.113.9", agent="curl", request_id="asked-once")
    for kept in (False, True):
        with tenant.unit(actor=actor) as unit:
            audit.record(unit, "scan.start", "scan", target, after=after)
            audit.record_last(unit, "scan.start", "scan", target, after=after)
            if kept:
                unit.commit()
    with tenant.unit() as unit:
        rows = unit.session.execute(select(AuditEvent.__table__).where(AuditEvent.target_id == target)).mappings().all()
    one, other = ({name: value for name, value in row.items() if name not in ("id", "at")} for row in rows)
    assert one == other and one["after"] == after and one["actor_kind"] == "key" and one["tenant_id"] == tenant.id


def test_both_homes_are_listed_newest_first_and_filtered(tenant: Made) -> None:
    """Each filter holds alone and together with others; `until` is not included."""
    write(tenant, "scan.start")
    write(tenant, "api_key.issue", home=Home.ACCOUNT)
    assert actions(tenant) == ["api_key.issue", "scan.start", "tenant.create"]
    assert actions(tenant, EventFilter(action="scan.start")) == ["scan.start"]
    assert actions(tenant, EventFilter(target_kind="api_key", actor=tenant.email)) == ["api_key.issue"]
    assert actions(tenant, EventFilter(actor="nobody")) == []
    with tenant.unit() as unit:
        first = audit.list_events(unit).rows[-1].at
    assert actions(tenant, EventFilter(until=first)) == []
    assert actions(tenant, EventFilter(since=first, until=first + timedelta(microseconds=1))) == ["tenant.create"]


def test_pages_hold_each_event_once(tenant: Made) -> None:
    """Page by page comes every event of both homes, and a cursor of one filter does not open another's list."""
    for number in range(5):
        write(tenant, f"scan.a{number}")
        write(tenant, f"key.b{number}", home=Home.ACCOUNT)
    seen: list[str] = []
    cursor = None
    with tenant.unit() as unit:
        while True:
            page = audit.list_events(unit, cursor=cursor, size=3)
            seen += [row.action for row in page.rows]
            if page.next_cursor is None:
                break
            cursor = page.next_cursor
        assert len(seen) == len(set(seen)) == 11
        with pytest.raises(MalformedRequest):
            audit.list_events(unit, EventFilter(action="x"), cursor=cursor)


def test_the_choices_are_what_occurs(tenant: Made) -> None:
    """Filters offer the actions, actors and kinds of this tenant's two homes, once each."""
    write(tenant, "scan.start", "scan.start", "asset.add")
    with tenant.unit() as unit:
        found = audit.list_choices(unit)
    assert found.actions == ["asset.add", "scan.start", "tenant.create"]
    assert found.target_kinds == ["asset", "scan", "tenant"]
    assert found.actors == [tenant.email]


def test_whoever_may_not_read_the_log_gets_nothing_of_it(tenant: Made) -> None:
    """List, choices and export ask for tenant:audit:read."""
    operator = Actor(ActorKind.USER, tenant.actor.id, "o", frozenset(str(p) for p in permissions_of(Role.OPERATOR)))
    with tenant.unit(Home.ACCOUNT, operator) as unit:
        for ask in (audit.list_events, audit.list_choices):
            with pytest.raises(PermissionDenied):
                ask(unit)
        with pytest.raises(PermissionDenied):
            audit_exports.begin_export(unit, "csv", EVERYTHING)


def test_an_export_is_whole_in_order_and_recorded(tenant: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over many short reads of two homes; that it was taken is an event with its format and filters."""
    monkeypatch.setattr(audit_exports, "CHUNK", 3)
    for number in range(7):
        write(tenant, f"scan.a{number}")
        write(tenant, f"key.b{number}", home=Home.ACCOUNT)
    rows = [json.loads(line) for line in exported(tenant).splitlines()]
    assert len(rows) == len({row["id"] for row in rows}) == 15
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert {row["log"] for row in rows} == {"account", "content"}
    exported(tenant, "csv", EventFilter(action="audit.export"))
    with tenant.unit() as unit:
        page = audit.list_events(unit, EventFilter(action="audit.export"))
    assert [row.after for row in page.rows] == [{"format": "csv", "action": "audit.export"}, {"format": "ndjson"}]


def test_an_export_tells_nothing_of_another_tenant(tenant: Made, tenants: object) -> None:
    """Each tenant's export holds its own events alone."""
    other = tenants()  # type: ignore[operator]
    write(other, "scan.theirs")
    assert b"scan.theirs" not in exported(tenant)


def test_an_export_stops_before_transactions_that_are_still_open(tenant: Made) -> None:
    """What commits after an older transaction that is open when the export begins is left to the next one, whole."""
    opened, go = threading.Event(), threading.Event()

    def slow() -> None:
        with tenant.unit() as unit:
            audit.record(unit, "scan.early", "scan", None)
            unit.session.flush()
            opened.set()
            go.wait(90)
            unit.commit()

    thread = threading.Thread(target=slow)
    thread.start()
    assert opened.wait(60)
    write(tenant, "scan.late")
    with tenant.unit(Home.ACCOUNT) as unit:
        begun = audit_exports.begin_export(unit, "ndjson", EVERYTHING)
        unit.commit()
    go.set()
    thread.join()
    assert b"scan.late" not in (first := b"".join(audit_exports.stream(tenant.units, begun)))
    assert b"scan.early" not in first
    whole = exported(tenant)
    assert b"scan.late" in whole and b"scan.early" in whole


def test_csv_holds_no_formula(tenant: Made) -> None:
    """A cell that a spreadsheet would calculate begins with an apostrophe; commas, quotes and lines survive."""
    for label in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", 'plain, "quoted"\nline'):
        with tenant.unit(actor=Actor(ActorKind.USER, None, label)) as unit:
            audit.record(unit, "scan.start", "scan", None)
            unit.commit()
    answer = exported(tenant, "csv", EventFilter(action="scan.start")).decode()
    labels = [row["actor_label"] for row in csv.DictReader(io.StringIO(answer, newline=""))]
    assert labels == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", 'plain, "quoted"\nline']


def test_another_format_is_refused(tenant: Made) -> None:
    """Only csv and ndjson exist."""
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(MalformedRequest):
        audit_exports.begin_export(unit, "xml", EVERYTHING)


def test_memory_does_not_grow_with_the_log(
    tenant: Made, postgres_server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """15,000 events, a hundred at a time, are streamed in the memory of some hundred."""
    monkeypatch.setattr(audit_exports, "CHUNK", 100)
    flood(postgres_server.superuser, tenant.id, 15_000)
    tracemalloc.start()
    size, _growth = stream(tenant, "ndjson")
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 6_000_000
    assert peak < 3_000_000


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_a_large_log_is_streamed_in_constant_memory(
    environment: object, new_database: Callable[[], Database], form: str
) -> None:
    """The process does not grow by more than 16 MB while it sends 70 MB or more; `benchmarks audit` sends a million."""
    database = new_database()
    units = open_units(settings(), database.app)
    made = make_tenant(units)
    flood(database.superuser, made.id, 200_000)
    size, growth = stream(made, form)
    units.engines.dispose()
    assert size > 65_000_000
    assert growth < 16_000_000


@pytest.mark.parametrize("login", ["app", "worker", "platform"])
@pytest.mark.parametrize("table", ["shared.audit_events", "account.audit_events"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET action = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_no_login_changes_what_is_recorded(postgres_server: Database, login: str, table: str, statement: str) -> None:
    """Events can be added, and nobody's login can change, delete or clear them."""
    with (
        psycopg.connect(getattr(postgres_server, login)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.format(table).encode())


def test_the_choices_are_found_through_indexes(tenant: Made, units: Units) -> None:
    """A value is looked up, not gathered from all rows."""
    with tenant.unit() as unit:
        unit.session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = unit.session.execute(
            text("EXPLAIN SELECT min(action) FROM shared.audit_events WHERE action > 'a'")
        ).scalars()
        assert "Index Only Scan" in "\n".join(plan)
