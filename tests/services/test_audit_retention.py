"""Events leave the log after the plan's time, with whole seals and on record; what is left is checked as before."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from click.testing import Result
from sqlalchemy import func, select

from app.core.clock import SetClock
from app.core.settings import settings
from app.db.opening import open_units
from app.models.trails import AuditEvent
from app.services import audit, audit_retention, audit_seals
from app.services.archivists import Archivist
from app.services.sealers import Sealer
from tests.peers.federations import include
from tests.peers.tenants import Made
from tests.plugins.servers import Database
from tests.services.test_audit_seals import check, heads_of, place, sealed_export, sealer, write

__all__ = ["check", "sealer"]


@pytest.fixture
def later(environment: object, postgres_server: Database) -> Callable[[timedelta], Archivist]:
    """Makes archivists that live so much later."""
    key = settings().master

    def make(span: timedelta) -> Archivist:
        url = settings().database_worker_url
        assert url is not None
        units = open_units(settings(), url.get_secret_value(), clock=SetClock(datetime.now(UTC) + span))
        return Archivist(units, key, every=timedelta(0))

    return make


@pytest.fixture
def aged(tenant: Made, sealer: Sealer) -> None:
    """A log of two seals of events that are 400 days old, and one of young ones; the plan keeps 365 days."""
    old = then(tenant, 400)
    write(old, "scan.old_a", "scan.old_b")
    sealer.turn()
    write(old, "scan.old_c")
    sealer.turn()
    write(tenant, "scan.young_a", "scan.young_b")
    sealer.turn()


def then(made: Made, days: int) -> Made:
    """The tenant so many days ago."""
    moment = SetClock(datetime.now(UTC) - timedelta(days=days))
    return replace(made, units=open_units(settings(), settings().database_url.get_secret_value(), clock=moment))


def look_over(archivist: Archivist, made: Made) -> None:
    """Let the archivist look over this tenant alone."""
    with archivist.directory() as session:
        key = audit_seals.signing_key(session, settings().master)
    archivist.look_over(made.id, key)


def actions(made: Made) -> list[str]:
    """The content log's actions, oldest first."""
    with made.unit() as unit:
        table: Any = AuditEvent
        return list(unit.session.scalars(select(table.action).order_by(table.transaction, table.id)))


@pytest.fixture
def cut(tenant: Made, aged: object, sealer: Sealer, later: Callable[[timedelta], Archivist]) -> list[bytes]:
    """The sealed export after the old events were removed."""
    look_over(later(timedelta(0)), tenant)
    sealer.turn()
    return sealed_export(tenant)


def test_what_is_older_than_the_plan_keeps_is_removed_and_the_rest_is_whole(
    tenant: Made, cut: list[bytes], check: Callable[..., Result], later: Callable[[timedelta], Archivist]
) -> None:
    """Both old seals stay without their events; the removal is an event, once; the check says where the log begins."""
    assert actions(tenant) == ["scan.young_a", "scan.young_b", "audit.expire"]
    with tenant.unit() as unit:
        event = audit.list_events(unit, audit.EventFilter(action="audit.expire")).rows[0]
        assert event.after == {"log": "content", "up_to_seal": 2, "events": 3, "kept_days": 365}
        kept = audit_retention.retention(unit)
        assert (kept.days, kept.plan) == (365, "Professional") and kept.removed_at is not None
    found = check(cut, *heads_of(tenant))
    assert found.exit_code == 0 and "content: begins after seal 2" in found.output, found.output
    assert "unchecked" not in found.output and b"scan.old" not in b"".join(cut)
    look_over(later(timedelta(hours=20)), tenant)
    assert actions(tenant).count("audit.expire") == 1


def test_each_tampering_of_a_cut_log_is_found(tenant: Made, cut: list[bytes], check: Callable[..., Result]) -> None:
    """An edit, a deletion, another order, a truncation, a seal taken out, no removal, a forged and a moved one."""
    young, removal = place(cut, b"scan.young_a"), place(cut, b'{"removal"')
    assert check(cut).exit_code == 0
    edited = [line.replace(b"young_b", b"young_x") for line in cut]
    swapped = [*cut[:young], cut[young + 1], cut[young], *cut[young + 2 :]]
    forged = json.loads(cut[removal])
    forged["removal"]["up_to"] = 3
    seal = place(cut[young:], b'"seal"') + young
    wrong = {
        "edit": edited,
        "deletion": cut[:young] + cut[young + 1 :],
        "order": swapped,
        "all events of a seal": cut[:young] + cut[seal:],
        "old seal": cut[: removal - 1] + cut[removal:],
        "no removal": cut[:removal] + cut[removal + 1 :],
        "forged removal": [*cut[:removal], json.dumps(forged).encode() + b"\n", *cut[removal + 1 :]],
        "moved removal": [*cut[:removal], *cut[removal + 1 : seal + 1], cut[removal], *cut[seal + 1 :]],
    }
    for what, lines in wrong.items():
        assert check(lines).exit_code == 1, what
    assert check(cut[:young], *heads_of(tenant)).exit_code == 1


def test_nothing_is_removed_that_is_young_or_not_sealed(
    tenant: Made, sealer: Sealer, later: Callable[[timedelta], Archivist], postgres_server: Database
) -> None:
    """A plan of a year keeps 40 days; a seal with one young event keeps all of its events; unsealed ones stay."""
    old = then(tenant, 40)
    write(old, "scan.old")
    write(tenant, "scan.young")
    sealer.turn()
    write(old, "scan.unsealed")
    before = actions(tenant)
    look_over(later(timedelta(0)), tenant)
    include(tenant, "free")
    look_over(later(timedelta(0)), tenant)
    assert actions(tenant) == before


def test_a_killed_removal_is_finished_by_the_next_turn(
    tenant: Made, aged: object, sealer: Sealer, later: Callable[[timedelta], Archivist], check: Callable[..., Result]
) -> None:
    """The removal is committed and no event is gone yet: the export leaves them out already; the next turn deletes."""
    archivist = later(timedelta(0))
    with archivist.directory() as session:
        key = audit_seals.signing_key(session, settings().master)
    with tenant.unit() as unit:
        assert audit_retention.mark_removal(unit, key) is not None
        unit.commit()
    sealer.turn()
    assert check(sealed_export(tenant)).exit_code == 0 and len(actions(tenant)) == 6
    look_over(archivist, tenant)
    assert actions(tenant) == ["scan.young_a", "scan.young_b", "audit.expire"]
    assert check(sealed_export(tenant)).exit_code == 0


def test_the_function_removes_nothing_by_itself(
    tenant: Made,
    sealer: Sealer,
    later: Callable[[timedelta], Archivist],
    postgres_server: Database,
) -> None:
    """Without a removal, or for events younger than 30 days, the worker's call deletes nothing; others may not call."""
    write(tenant, "scan.a")
    sealer.turn()
    call = "SELECT archivist.remove_events('shared', 1, 100)"
    with psycopg.connect(postgres_server.worker) as connection:
        connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(tenant.id)])
        assert connection.execute(call).fetchone() == (0,)
        connection.execute(
            "INSERT INTO shared.audit_removals (id, up_to, body, signature, removed_at) "
            "VALUES (gen_random_uuid(), 1, '{}', '', now())"
        )
        assert connection.execute(call).fetchone() == (0,)
        connection.rollback()
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT archivist.remove_events('auth', 1, 100)")
    for login in (postgres_server.app, postgres_server.platform):
        with psycopg.connect(login) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(call)
    with tenant.unit() as unit:
        assert unit.session.scalar(select(func.count()).select_from(AuditEvent)) == 1
