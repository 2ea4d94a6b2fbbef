"""Calls are kept as long as their sums: removed in lots, by the worker alone, each tenant's by its own plan."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg import sql
from sqlalchemy import func, select

from app.core.settings import settings
from app.db import migrate, usage_books
from app.db.opening import open_units
from app.db.units import Home, Units
from app.db.usage_books import DueBook, DueRemoval
from app.models.plans import UsageDay
from app.models.tenants import Tenant
from app.models.usage import ApiCall
from app.services import bookkeepers, call_retention, usage, usage_counts
from app.services.bookkeepers import Bookkeeper
from app.services.calls import call_of, write_calls
from app.services.usage import CallFilter
from app.services.usage_series import Period
from tests.peers.tenants import Made, make_tenant
from tests.peers.visitors import Person
from tests.plugins.servers import Database

REMOVE = "SELECT archivist.remove_calls('shared', %s, 100)"


def ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def settled() -> date:
    return (datetime.now(UTC) - usage_counts.SETTLES).date()


def give(made: Made, *ages: int, plan: str = "free") -> Made:
    """Write a call of so many days ago for each, and give the tenant its plan and its book."""
    with made.unit() as unit:
        calls = [
            call_of(made.actor, ago(days), method="GET", endpoint="/", status=200, microseconds=1) for days in ages
        ]
        write_calls(unit, calls)
        usage_counts.recount(unit, ago(1000), ago(-1))
        unit.at_home(Home.ACCOUNT).session.get_one(Tenant, made.id).plan = plan
        usage_books.open_book(unit.at_home(Home.ACCOUNT).session)
        unit.commit()
    return made


def ages(made: Made) -> list[int]:
    with made.unit() as unit:
        moments = unit.session.scalars(select(ApiCall.at).order_by(ApiCall.at.desc())).all()
    return [(datetime.now(UTC) - moment).days for moment in moments]


def keep(worker_units: Units, made: Made) -> DueRemoval:
    """Sum the tenant's days; return what is then due."""
    assert Bookkeeper(worker_units).keep(DueBook(made.id, None, settled()))
    return DueRemoval(made.id, settled())


def due(worker_units: Units, made: Made) -> bool:
    with Bookkeeper(worker_units).directory() as session:
        return any(each.tenant_id == made.id for each in usage_books.removals_due(session, 10**6))


def test_calls_go_with_their_sums(tenant: Made, worker_units: Units) -> None:
    """What the plan keeps no longer goes, of this tenant alone; sums and rows that stay are the same number."""
    give(tenant, 40, 31, 20, 2, 0)
    larger = give(make_tenant(tenant.units), 40, 31, 2, plan="professional")
    removal = keep(worker_units, tenant)
    assert keep(worker_units, larger) and due(worker_units, tenant)
    with tenant.unit() as unit:  # neither is shown meanwhile
        assert len(usage.list_calls(unit).rows) == 3
    for made in (tenant, larger):
        assert Bookkeeper(worker_units).clear(DueRemoval(made.id, removal.until))
    assert ages(tenant) == [0, 2, 20] and ages(larger) == [2, 31, 40]
    with larger.unit() as unit:
        assert unit.session.scalar(select(func.sum(UsageDay.calls))) == 3
    assert not due(worker_units, tenant)
    with tenant.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, tenant.id).plan = "enterprise"
        unit.commit()
    with tenant.unit() as unit:  # a larger plan brings nothing back, and counts what is there
        usage_counts.sum_days(unit, None, settled())
        assert unit.session.scalar(select(func.sum(UsageDay.calls))) == 2
        assert len(usage.list_calls(unit, CallFilter(period=Period.DAYS_90)).rows) == 3


def test_a_lot_at_a_time(tenant: Made, worker_units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its batches it is the others' turn; what failed or was killed before the note is due, and done, again."""
    monkeypatch.setattr(call_retention, "BATCH", 2)
    monkeypatch.setattr(bookkeepers, "MOST_BATCHES", 2)
    give(tenant, *[50] * 7, 1)
    removal, loop = keep(worker_units, tenant), Bookkeeper(worker_units)
    assert not loop.clear(removal) and len(ages(tenant)) == 4 and loop._unfinished == 1
    with monkeypatch.context() as broken:

        def die(*_given: Any) -> None:
            raise RuntimeError

        broken.setattr(call_retention.archives, "remove_calls", die)
        assert not loop.clear(removal)
        assert len(ages(tenant)) == 4 and due(worker_units, tenant)
    assert not loop.clear(removal) and ages(tenant) == [1]
    with monkeypatch.context() as broken:
        broken.setattr(usage_books, "note_removed", die)
        assert not loop.clear(removal) and due(worker_units, tenant)
    assert loop.clear(removal) and ages(tenant) == [1] and not due(worker_units, tenant)


def test_the_function_keeps_what_is_young_or_summed(tenant: Made, postgres_server: Database) -> None:
    """Nothing younger than 30 days, with a sum, of another tenant or outside of a home; others may not call it."""
    give(tenant, 60, 50, 40, 5)
    with tenant.unit() as unit:
        usage_counts.sum_days(unit, None, settled())
        unit.commit()
    with psycopg.connect(postgres_server.superuser) as connection:
        connection.execute(
            "INSERT INTO shared.usage_days SELECT tenant_id, current_date - 45, key_id, workspace_id, person, "
            "endpoint, calls, texts FROM shared.usage_days WHERE tenant_id = %s AND day > current_date - 10",
            [tenant.id],
        )
    with psycopg.connect(postgres_server.worker) as connection:
        assert connection.execute(REMOVE, [settled()]).fetchone() == (0,)
        connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(tenant.id)])
        assert connection.execute(REMOVE, [ago(1000).date()]).fetchone() == (0,)
        assert connection.execute(REMOVE, [ago(-9).date()]).fetchone() == (2,)
        connection.execute("DELETE FROM shared.usage_days")
        assert connection.execute(REMOVE, [ago(-9).date()]).fetchone() == (1,)
        connection.commit()
        for home in ("auth", "account", "shared.x"):
            with pytest.raises(psycopg.errors.UndefinedTable):
                connection.execute("SELECT archivist.remove_calls(%s, now()::date, 1)", [home])
            connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM shared.api_calls")
    for login in (postgres_server.app, postgres_server.platform):
        with psycopg.connect(login) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(REMOVE, [settled()])
    assert ages(tenant) == [5]


def test_a_tenant_with_a_schema_of_its_own(environment: object, fresh_database: Database) -> None:
    """Its calls go from its schema, through the rights that the schema's own migration gives."""
    web, worker = (open_units(settings(), url) for url in (fresh_database.app, fresh_database.worker))
    made = make_tenant(web)
    schema = sql.Identifier(f"t_{made.id.hex}")
    with psycopg.connect(fresh_database.owner) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO sentinel_app, sentinel_worker").format(schema))
    migrate.migrate(fresh_database.owner)
    with psycopg.connect(fresh_database.superuser) as connection:
        connection.execute(
            "UPDATE control.placements SET level = 'schema', schema_name = %s WHERE tenant_id = %s",
            [f"t_{made.id.hex}", made.id],
        )
    give(made, 40, 3)
    assert Bookkeeper(worker).clear(keep(worker, made)) and ages(made) == [3]
    with psycopg.connect(fresh_database.superuser) as connection:
        found = connection.execute(sql.SQL("SELECT count(*) FROM {}.api_calls").format(schema)).fetchone()
    assert found == (1,)
    for units in (web, worker):
        units.engines.dispose()


def test_the_page_says_what_is_past_retention(app: Flask, tenant: Made) -> None:
    """The list tells for how long calls are kept, and since when, where more was asked for."""
    give(tenant, 40, 3)
    person = Person(app, settings().base_url.replace("http://", "https://")).sign_in(tenant)
    page = person.get(person.at("/usage/calls")).text
    assert "Your plan keeps calls for 30 days." in page and "past what your plan keeps" not in page
    for asked in (f"day={ago(40):%Y-%m-%d}", "period=90_days"):
        page = person.get(person.at(f"/usage/calls?{asked}")).text
        assert f"Calls before {ago(30):%-d %B %Y} are past what your plan keeps" in page
    assert "No call that is kept" in person.get(person.at(f"/usage/calls?day={ago(40):%Y-%m-%d}")).text
