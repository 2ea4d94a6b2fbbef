"""Proven e-mail domains are looked at again: one that is gone for long is told of, then proven no longer."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.core.clock import SystemClock
from app.core.permissions import Role
from app.db.units import Home, Units
from app.models.accounts import AccountEffect
from app.models.connections import EmailDomain
from app.models.tenants import Tenant
from app.scanners.ownership import Attempt, Method
from app.services import audit, domain_looks, email_domains
from app.services.domain_looks import EVERY, JITTER, LAPSE_AFTER, WARN_AFTER
from app.services.stewards import Steward
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers import federations
from tests.peers.letters import Letters, text_of
from tests.peers.members import make_member
from tests.peers.tenants import Made

GONE = "no such record"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def domain_id(tenant: Made, worker_units: Units) -> UUID:
    """A domain of the tenant that is proven."""
    return federations.prove(tenant, worker_units, federations.domain())


def look(made: Made, worker_units: Units, domain_id: UUID, *told: str) -> EmailDomain:
    """Let the worker look once, with this outcome at each resolver; return the domain."""
    at = SystemClock().now()
    seen = [Attempt(Method.DNS, f"192.0.2.{n}", status == "found", status, at) for n, status in enumerate(told)]
    with tenant_scope(made.id), worker_units.open(Home.ACCOUNT, system_actor("worker")) as unit:
        email_domains.note_attempts(unit, domain_id, seen)
        unit.commit()
    return domain_of(made, domain_id)


def domain_of(made: Made, domain_id: UUID) -> EmailDomain:
    """The domain as it stands."""
    with made.unit(Home.ACCOUNT) as unit:
        return email_domains.get_domain(unit, domain_id)


def put(made: Made, domain_id: UUID, **ago: timedelta) -> None:
    """Put moments of the domain so long into the past."""
    values = {name: SystemClock().now() - age for name, age in ago.items()}
    with made.unit(Home.ACCOUNT) as unit:
        unit.session.execute(update(EmailDomain).where(EmailDomain.id == domain_id).values(**values))
        unit.commit()


def actions(made: Made) -> list[str]:
    """What stands in the log about the domain, oldest first."""
    with made.unit(Home.ACCOUNT) as unit:
        rows = audit.list_events(unit).rows
    return [event.action for event in reversed(rows) if event.action.startswith("email_domain.")]


def subjects(letters: Letters, made: Made) -> list[str]:
    """Of which domains somebody was told."""
    return [str(each["Subject"]) for each in letters.to(made.email) if "e-mail domain" in str(each["Subject"])]


@pytest.mark.parametrize(
    "told",
    [(), ("timed out",), ("refused or failed",), (GONE, "timed out"), (GONE, "found"), ("no resolver is configured",)],
)
def test_a_look_that_failed_changes_nothing(
    tenant: Made, worker_units: Units, domain_id: UUID, told: tuple[str, ...]
) -> None:
    """A dead resolver, or one that is of another mind than the others, says nothing about the record."""
    found = look(tenant, worker_units, domain_id, *told)
    assert found.verified_at is not None and found.missing_since is None
    missing = look(tenant, worker_units, domain_id, GONE, "holds another value")
    put(tenant, domain_id, missing_since=3 * LAPSE_AFTER, warned_at=3 * LAPSE_AFTER)
    found = look(tenant, worker_units, domain_id, *told)
    assert missing.missing_since is not None and found.verified_at is not None
    assert (found.missing_since is None) == ("found" in told)


def test_whoever_looks_after_sign_in_is_told_once_after_three_days(
    tenant: Made, worker_units: Units, domain_id: UUID, letters: Letters
) -> None:
    """Owners and admins, with what to put back where and until when; the domain stays proven."""
    admin, viewer = make_member(tenant, Role.ADMIN), make_member(tenant, Role.VIEWER)
    look(tenant, worker_units, domain_id, GONE)
    put(tenant, domain_id, missing_since=WARN_AFTER - MINUTE)
    look(tenant, worker_units, domain_id, GONE)
    assert subjects(letters, tenant) == []
    put(tenant, domain_id, missing_since=WARN_AFTER)
    for _ in range(2):
        found = look(tenant, worker_units, domain_id, GONE)
    assert found.verified_at is not None
    told = [f"Acme: the e-mail domain {found.domain} is missing"]
    assert [subjects(letters, who) for who in (tenant, admin, viewer)] == [told, told, []]
    words = text_of(letters.last(tenant.email))
    assert f"_sentinel-challenge.{found.domain}" in words and found.token in words
    assert actions(tenant) == ["email_domain.add", "email_domain.prove", "email_domain.missing"]


def test_after_fourteen_days_it_is_proven_no_longer(
    tenant: Made, tenants: Callable[[], Made], worker_units: Units, domain_id: UUID, letters: Letters
) -> None:
    """It routes nobody and is anybody's to prove, until its record is found again."""
    look(tenant, worker_units, domain_id, GONE)
    put(tenant, domain_id, missing_since=LAPSE_AFTER, warned_at=LAPSE_AFTER - WARN_AFTER)
    found = look(tenant, worker_units, domain_id, GONE)
    assert found.verified_at is None and found.lapsed_at is not None and found.look_at is None
    assert subjects(letters, tenant) == [f"Acme: the e-mail domain {found.domain} is proven no longer"]
    with tenant.unit(Home.ACCOUNT) as unit:
        assert not email_domains.is_proven(unit, found.domain)
    other = tenants()
    theirs = federations.prove(other, worker_units, found.domain)
    assert domain_of(other, theirs).verified_at is not None
    with other.unit(Home.ACCOUNT) as unit:
        email_domains.remove_domain(unit, theirs)
        unit.commit()
    again = look(tenant, worker_units, domain_id, "found")
    assert again.verified_at is not None and again.lapsed_at is None
    assert actions(tenant)[2:] == ["email_domain.lapse", "email_domain.prove"]


@pytest.mark.parametrize(
    ("missing", "warned"), [(LAPSE_AFTER - MINUTE, LAPSE_AFTER), (2 * LAPSE_AFTER, LAPSE_AFTER - WARN_AFTER - MINUTE)]
)
def test_no_sooner(tenant: Made, worker_units: Units, domain_id: UUID, missing: timedelta, warned: timedelta) -> None:
    """Neither before fourteen days nor before eleven since the mail, however long the worker was away."""
    put(tenant, domain_id, missing_since=missing, warned_at=warned)
    assert look(tenant, worker_units, domain_id, GONE).verified_at is not None


def test_a_record_that_comes_back_is_as_if_it_had_never_gone(
    tenant: Made, worker_units: Units, domain_id: UUID
) -> None:
    """The days are counted anew from the next look that finds it gone."""
    put(tenant, domain_id, missing_since=2 * LAPSE_AFTER, warned_at=WARN_AFTER)
    found = look(tenant, worker_units, domain_id, "found")
    assert (found.missing_since, found.warned_at) == (None, None) and found.verified_at is not None
    again = look(tenant, worker_units, domain_id, GONE)
    assert again.verified_at is not None and again.missing_since is not None
    assert actions(tenant)[2:] == ["email_domain.found-again"]


def test_what_lapsed_is_proven_again_on_any_plan(tenant: Made, worker_units: Units, domain_id: UUID) -> None:
    """A smaller plan adds no domain, and loses none for good by a mistake in the DNS."""
    put(tenant, domain_id, missing_since=LAPSE_AFTER, warned_at=LAPSE_AFTER)
    look(tenant, worker_units, domain_id, GONE)
    federations.include(tenant, "free")
    with tenant.unit(Home.ACCOUNT) as unit:
        assert email_domains.request_check(unit, domain_id).requested_at is not None


def asked(made: Made) -> int:
    """How many looks were asked for."""
    with made.unit(Home.ACCOUNT) as unit:
        found = select(func.count()).select_from(AccountEffect).where(AccountEffect.kind == "domain.check")
        return unit.session.scalar(found) or 0


def test_the_worker_looks_about_daily(tenant: Made, worker_units: Units, domain_id: UUID) -> None:
    """What is due is asked for once and set a day on, give or take a quarter; what is missing sooner."""
    now, steward = SystemClock().now(), Steward(worker_units)
    first = domain_of(tenant, domain_id).look_at
    assert first is not None and EVERY * (1 - JITTER) - MINUTE < first - now < EVERY * (1 + JITTER) + MINUTE
    steward.look_at_domains()
    assert asked(tenant) == 0
    put(tenant, domain_id, look_at=MINUTE)
    steward.look_at_domains()
    Steward(worker_units).look_at_domains()
    found = domain_of(tenant, domain_id)
    assert asked(tenant) == 1 and found.look_at is not None and found.look_at > now + EVERY / 2
    look(tenant, worker_units, domain_id, GONE)
    assert domain_looks.next_look(domain_of(tenant, domain_id), now) < now + EVERY / 2


def test_a_suspended_tenants_are_left_alone(tenant: Made, worker_units: Units, domain_id: UUID) -> None:
    """They are due when it works again; what is not proven is looked for when somebody asks."""
    put(tenant, domain_id, look_at=MINUTE)
    with tenant.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, tenant.id).status = "suspended"
        email_domains.add_domain(unit, federations.domain())
        unit.commit()
    Steward(worker_units).look_at_domains()
    assert asked(tenant) == 0
