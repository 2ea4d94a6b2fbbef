"""Tenants made by the services themselves, as a newcomer would make them."""

import random
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from app.core.errors import TooManyRequests, Unauthenticated
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Unit, Units
from app.services import accounts, plan_overrides
from app.services.accounts import Origin, Signup
from app.services.plan_overrides import Wanted
from app.tenancy.actors import Actor, system_actor
from app.tenancy.context import tenant_scope

ORIGIN = Origin("192.0.2.7", "tests", "request-1")


@dataclass(frozen=True)
class Made:
    """A tenant made for a test, with its owner."""

    id: UUID
    slug: str
    email: str
    password: str
    actor: Actor
    units: Units

    def unit(self, home: Home = Home.CONTENT, actor: Actor | None = None) -> AbstractContextManager[Unit]:
        """Open a unit of this tenant."""

        @contextmanager
        def opened() -> Iterator[Unit]:
            with tenant_scope(self.id), self.units.open(home, actor or self.actor) as unit:
                yield unit

        return opened()


def make_tenant(
    units: Units,
    company: str = "Acme",
    *,
    email: str | None = None,
    domain: str = "example.com",
    verified: bool = True,
) -> Made:
    """Sign a company up as a newcomer would; `verified` as one who has followed the mailed link."""
    mark = secrets.token_hex(4)
    slug, email, password = f"t-{mark}", email or f"owner-{mark}@{domain}", secrets.token_urlsafe(16)
    origin = replace(ORIGIN, address=f"2001:db8::{mark[:4]}:{mark[4:]}")  # mail is capped for each address
    with units.identify() as door:
        signup = Signup(company, slug, "Olive Owner", email, password)
        unit = accounts.sign_up(
            door,
            signup,
            master_key=settings().master,
            origin=origin,
            verified=verified,
        )
        unit.commit()
        return Made(unit.tenant_id, slug, email, password, unit.actor, units)


def lift_limits(made: Made, *, monthly: int | None = None) -> None:
    """Agree with the tenant, as staff do, on any number of calls, and on `monthly` scans and texts (None: any)."""
    url = settings().database_worker_url
    if url is None:
        raise RuntimeError("DATABASE_WORKER_URL is not set")
    units = open_units(settings(), url.get_secret_value())
    with tenant_scope(made.id), units.open(Home.ACCOUNT, system_actor("staff tests")) as unit:
        for kind, name, value in (
            ("rate", "api_requests", 10**7),
            ("rate", "scan_starts", 10**7),
            ("quota", "scans", monthly),
            ("quota", "texts", monthly),
        ):
            plan_overrides.override(unit, Wanted(kind, name, value, "measuring"))
        unit.commit()
    units.engines.dispose()


def somewhere() -> Origin:
    """An address that nobody used before, since mail is capped per address."""
    return Origin(f"198.51.{random.randrange(256)}.{random.randrange(256)}", "tests", "request-1")


def attempt(units: Units, email: str, password: str) -> type[Exception] | None:
    """Sign in as the page does; return what was refused."""
    with units.identify() as door:
        try:
            accounts.sign_in(door, email, password, origin=somewhere())
        except (Unauthenticated, TooManyRequests) as error:
            door.commit()
            return type(error)
        door.commit()
    return None
