"""Two tenants with the same work left for each loop of the worker, of whom the first one cannot be served any more."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from app.core.clock import SetClock
from app.core.ids import new_id
from app.core.settings import settings
from app.db import failures, staff, usage_books
from app.db.opening import open_units
from app.db.staff import NewOrder
from app.db.units import Home, Units
from app.models.accounts import AccountKeptAnswer
from app.models.usage import ApiCall
from app.outbox.requests import request_effect
from app.services import plan_overrides
from app.services.plan_overrides import Wanted
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers.erasures import delete
from tests.peers.tenants import Made, make_tenant
from tests.plugins.servers import Database

KIND = "test.neighbour"
OLD = datetime.now(UTC) - timedelta(days=3)


@dataclass
class Street:
    """`bad` was there first, and comes first in every line."""

    database: Database
    web: Units
    worker: Units
    bad: Made
    good: Made

    def ask(self, statement: str) -> Any:
        """Return one value of the neighbour's, whose id is `%(good)s`."""
        with psycopg.connect(self.database.superuser) as seen:
            row = seen.execute(statement.encode(), {"good": self.good.id, "bad": self.bad.id}).fetchone()
        return row and row[0]

    def close(self) -> None:
        """Let go of the connections."""
        for units in (self.web, self.worker):
            units.engines.dispose()


def make_street(database: Database) -> Street:
    """Make both, with a call, a kept answer, an effect, an override, a failed sign-in and a mail that are due."""
    web, worker = (open_units(settings(), url) for url in (database.app, database.worker))
    bad, good = make_tenant(web, verified=False), make_tenant(web, verified=False)
    for made in (bad, good):
        _leave_work(database, web, made)
    return Street(database, web, worker, bad, good)


def fence(street: Street) -> None:
    """Begin to erase the first one, which leaves all of its work where it is."""
    delete(street.database, street.bad.id)
    with psycopg.connect(street.database.worker) as connection:
        connection.execute("SELECT auth.begin_erasure(%s, NULL)", [street.bad.id])


def evict(street: Street) -> None:
    """Take the first one's home away."""
    with psycopg.connect(street.database.superuser) as connection:
        connection.execute("DELETE FROM control.placements WHERE tenant_id = %s", [street.bad.id])


def order(street: Street, made: Made) -> None:
    """Order something of the tenant, as staff do."""
    detail = {"kind": "quota", "name": "seats", "value": 90, "until": None}
    units = open_units(settings(), street.database.platform)
    with units.identify() as door:
        given = NewOrder(new_id(), None, "sam", made.id, "plan.override", "agreed", detail, None, None, None)
        assert staff.order(door.session, given)
        door.commit()
    units.engines.dispose()


def _leave_work(database: Database, web: Units, made: Made) -> None:
    with made.unit() as unit:
        usage_books.open_book(unit.at_home(Home.ACCOUNT).session)
        call = {"key_name": "x", "method": "GET", "endpoint": "/", "status": 200, "microseconds": 1, "request_id": ""}
        unit.session.add(ApiCall(at=OLD, key_id=None, verdict=None, **call))
        unit.commit()
    with made.unit(Home.ACCOUNT) as unit:
        answer = {"key_hash": b"k", "body_hash": b"b", "route": "/", "status": 200, "location": None, "body": ""}
        unit.session.add(AccountKeptAnswer(credential_id=new_id(), created_at=OLD, expires_at=OLD, **answer))
        request_effect(unit, KIND, {})
        unit.commit()
    then = open_units(settings(), database.worker, clock=SetClock(OLD))
    with tenant_scope(made.id), then.open(Home.ACCOUNT, system_actor("staff")) as unit:
        plan_overrides.override(unit, Wanted("quota", "scans", 50, "agreed", OLD + timedelta(days=1)))
        unit.commit()
    then.engines.dispose()
    with web.identify() as door:
        failures.note_failure(door.session, made.email, "192.0.2.1", "tests")
        door.commit()
