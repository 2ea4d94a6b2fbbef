"""Checkpoints: the heads of both logs, by mail, to owners who asked; once a day, however often the worker is killed."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.core.clock import SetClock
from app.core.errors import PermissionDenied
from app.core.permissions import Role
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Units
from app.services import audit_seals, checkpoints, memberships
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers.letters import Letters, text_of
from tests.peers.members import make_member, user_of
from tests.peers.tenants import Made
from tests.services.test_audit_seals import sealer, write

__all__ = ["sealer"]
DAY = timedelta(days=1)


@pytest.fixture
def on_day(environment: object, postgres_server: object) -> Callable[[int], Units]:
    """Makes the worker's units of work, so many days from today, at noon."""
    noon = datetime.now(UTC).replace(hour=12)
    url = settings().database_worker_url
    assert url is not None
    return lambda days: open_units(settings(), url.get_secret_value(), clock=SetClock(noon + days * DAY))


def ask(made: Made) -> None:
    with made.unit(Home.ACCOUNT) as unit:
        checkpoints.ask(unit)
        unit.commit()


def send(units: Units, made: Made, *, commit: bool = True) -> int:
    with tenant_scope(made.id), units.open(Home.ACCOUNT, system_actor("worker")) as unit:
        sent = checkpoints.send_due(unit)
        if commit:
            unit.commit()
        return sent


def test_one_a_day_with_what_is_new(
    tenant: Made, sealer: object, on_day: Callable[[int], Units], letters: Letters
) -> None:
    """Both heads and the command, in text and HTML; not twice a day, and not while no seal is new."""
    ask(tenant)
    assert send(on_day(0), tenant) == 0  # nothing is sealed yet
    write(tenant, "scan.a")
    sealer.turn()  # type: ignore[attr-defined]
    assert send(on_day(0), tenant, commit=False) == 1  # killed before the commit: as if it had not been
    assert [send(on_day(0), tenant), send(on_day(0), tenant)] == [1, 0]
    letters.send()
    mail = letters.last(tenant.email)
    with tenant.unit() as unit:
        heads = [one.head for one in audit_seals.sealed_logs(unit)]
    assert len(heads) == 2 and "audit checkpoint of" in mail["Subject"]
    for kind in ("plain", "html"):
        body = text_of(mail, kind)
        assert all(f"--head {head}" in body for head in heads) and "audit verify" in body
    assert send(on_day(1), tenant) == 0  # a day later, and nothing new
    write(tenant, "scan.b")
    sealer.turn()  # type: ignore[attr-defined]
    assert [send(on_day(1), tenant), send(on_day(1), tenant), send(on_day(2), tenant)] == [1, 0, 0]


def test_two_workers_send_one(tenant: Made, sealer: object, on_day: Callable[[int], Units]) -> None:
    """At the same moment in two workers: one mail."""
    ask(tenant)
    write(tenant, "scan.a")
    sealer.turn()  # type: ignore[attr-defined]
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(send(on_day(0), tenant))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 1]


def test_owners_ask_for_themselves_and_end_it(tenant: Made, sealer: object, on_day: Callable[[int], Units]) -> None:
    """Asked twice is asked once; nobody but an owner asks; who is no owner any more gets none."""
    second = make_member(tenant, Role.OWNER)
    ask(second)
    ask(second)
    with tenant.unit(Home.ACCOUNT, second.actor) as unit:
        assert checkpoints.is_asked(unit)
        assert unit.session.scalar(text("SELECT count(*) FROM account.checkpoint_requests")) == 1
    auditor = make_member(tenant, Role.AUDITOR)
    with tenant.unit(Home.ACCOUNT, auditor.actor) as unit:
        assert not checkpoints.may_ask(unit)
        with pytest.raises(PermissionDenied):
            checkpoints.ask(unit)
    write(tenant, "scan.a")
    sealer.turn()  # type: ignore[attr-defined]
    with tenant.unit(Home.ACCOUNT) as unit:
        memberships.change_role(unit, user_of(second), Role.ADMIN)
        unit.commit()
    assert send(on_day(0), tenant) == 0
    with tenant.unit(Home.ACCOUNT, second.actor) as unit:
        checkpoints.end(unit)
        unit.commit()
    with tenant.unit(Home.ACCOUNT, second.actor) as unit:
        assert not checkpoints.is_asked(unit)
