"""Whoever can renew an API key is told of its end 14 and 3 days before and on its day: once each, one mail a day."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text, update

from app.core.permissions import Role
from app.db import staff
from app.db.units import Home, Units
from app.models.accounts import ApiKey
from app.models.tenants import Tenant
from app.services import api_keys, audit, key_reminders, key_rotations, memberships
from app.services.key_reminders import step_of
from app.services.stewards import STEWARD, Steward
from app.tenancy.context import tenant_scope
from tests.peers.letters import Letters, text_of
from tests.peers.members import make_member, user_of
from tests.peers.programs import issue, make_account, rotate
from tests.peers.tenants import Made

TODAY = date(2026, 11, 22)
SCOPE = "tenant:scans:read"
LONG = timedelta(days=90)


@pytest.mark.parametrize(("left", "step"), [(15, None), (14, 14), (4, 14), (3, 3), (1, 3), (0, 0), (-9, 0)])
def test_which_step_is_due(left: int, step: int | None) -> None:
    """The smallest of 14, 3 and 0 days before the end that has come, by days in UTC."""
    assert step_of(TODAY + timedelta(days=left), TODAY) == step


def ends_in(made: Made, days: int, *, tomorrow: bool = True) -> None:
    """Have the tenant's keys in force end so many days from today; `tomorrow`: as if what was told was told before."""
    end = datetime.now(UTC).replace(hour=23, minute=59) + timedelta(days=days)
    with made.unit(Home.ACCOUNT) as unit:
        unit.session.execute(update(ApiKey).where(ApiKey.revoked_at.is_(None)).values(expires_at=end))
        unit.session.execute(update(ApiKey).values(expiry_told_on=None)) if tomorrow else None
        unit.commit()


@pytest.fixture
def look(worker_units: Units) -> Callable[..., bool]:
    """Remind a tenant as the steward does once the directory names it; tells whether it was named and reminded."""

    def remind(made: Made) -> bool:
        with worker_units.identify() as door:
            named = made.id in staff.keys_expiring(door.session, 100_000)
        with tenant_scope(made.id), worker_units.open(Home.ACCOUNT, STEWARD) as unit:
            done = key_reminders.remind(unit)
            unit.commit()
        assert done == named
        return done

    return remind


def subjects(letters: Letters, made: Made) -> list[str]:
    return [str(each["Subject"]) for each in letters.to(made.email) if "API key" in str(each["Subject"])]


def test_each_step_is_told_once(tenant: Made, look: Callable[..., bool], letters: Letters) -> None:
    """A key of 90 days is told of thrice, with the ways to its page and to its rotation, and never with its secret."""
    key_id, secret = issue(tenant, SCOPE, lifetime=LONG, name="Nightly")
    expected: list[str] = []
    for days, words in ((15, None), (14, "expires in 14 days"), (9, None), (3, "expires in 3 days"), (2, None)):
        ends_in(tenant, days)
        assert look(tenant) is (words is not None) and not look(tenant)
        expected += [f"Acme: the API key Nightly {words}"] if words else []
        assert subjects(letters, tenant) == expected
    for kind in ("plain", "html"):
        words = text_of(letters.last(tenant.email), kind)
        assert f"/t/{tenant.slug}/keys/{key_id}/rotation" in words and secret[:13] in words and secret not in words
        assert "because you made this key" in words
    ends_in(tenant, -1)
    assert look(tenant) and not look(tenant)
    assert subjects(letters, tenant) == [*expected, "Acme: the API key Nightly has expired"]
    assert f"/t/{tenant.slug}/keys/new" in text_of(letters.last(tenant.email))
    with tenant.unit(Home.ACCOUNT) as unit:
        told = [event.after for event in audit.list_events(unit).rows if event.action == "api_key.remind"]
    assert [each["days"] for each in told if each] == [0, 3, 14]


@pytest.mark.parametrize(("life", "left", "due"), [(7, 7, False), (7, 3, True), (5, 3, False), (5, 0, True)])
def test_a_short_life_spares_the_early_mail(
    tenant: Made, look: Callable[..., bool], life: int, left: int, due: bool
) -> None:
    """Nobody is told at once of an end that they have just chosen: a step is for keys of twice as many days."""
    issue(tenant, SCOPE, lifetime=timedelta(days=life))
    ends_in(tenant, left)
    assert look(tenant) is due


def test_one_mail_a_day_lists_all_keys(tenant: Made, look: Callable[..., bool], letters: Letters) -> None:
    """Several keys are one mail; what comes up later that day is told the next."""
    for number in range(22):
        issue(tenant, SCOPE, lifetime=LONG, name=f"Key {number}")
    ends_in(tenant, 3)
    assert look(tenant)
    issue(tenant, SCOPE, lifetime=LONG, name="Late")
    ends_in(tenant, 3, tomorrow=False)
    assert not look(tenant)
    assert subjects(letters, tenant) == ["Acme: 22 API keys expire soon"]
    assert "And 2 more" in text_of(letters.last(tenant.email))
    ends_in(tenant, 3)
    assert look(tenant)
    assert subjects(letters, tenant)[1:] == ["Acme: the API key Late expires in 3 days"]


def test_who_can_renew_a_key_is_told(tenant: Made, look: Callable[..., bool], letters: Letters) -> None:
    """The maker; once they are gone, or may keep keys no longer, owners and admins, each in one mail with their own."""
    maker, other = make_member(tenant, Role.ADMIN), make_member(tenant, Role.ADMIN)
    account = make_account(tenant, SCOPE)
    with tenant.unit(Home.ACCOUNT, maker.actor) as unit:
        given = {"scopes": [SCOPE], "pepper": b"p" * 32, "lifetime": LONG, "service_account_id": account}
        api_keys.issue_key(unit, name="Shared", **given)  # type: ignore[arg-type]
        unit.commit()
    issue(tenant, SCOPE, lifetime=LONG, name="Own")
    ends_in(tenant, 14)
    assert look(tenant)
    assert subjects(letters, maker) == ["Acme: the API key Shared expires in 14 days"]
    assert subjects(letters, tenant) == ["Acme: the API key Own expires in 14 days"] and not subjects(letters, other)
    with tenant.unit(Home.ACCOUNT) as unit:
        memberships.change_role(unit, user_of(maker), Role.VIEWER)
        unit.commit()
    ends_in(tenant, 3)
    assert look(tenant)
    assert len(subjects(letters, maker)) == 1
    assert subjects(letters, other) == ["Acme: the API key Shared expires in 3 days"]
    assert subjects(letters, tenant)[1:] == ["Acme: 2 API keys expire soon"]
    assert "because you manage the API keys of Acme" in text_of(letters.last(tenant.email))


def test_what_is_not_told(tenant: Made, look: Callable[..., bool]) -> None:
    """Nothing of revoked keys, of endless ones, of an old secret whose overlap ends, nor for a closed tenant."""
    revoked, _ = issue(tenant, SCOPE, lifetime=LONG)
    with tenant.unit(Home.ACCOUNT) as unit:
        unit.session.execute(update(ApiKey).values(expires_at=unit.now() + timedelta(days=2)))
        api_keys.revoke_key(unit, revoked)
        unit.commit()
    endless, _ = issue(tenant, SCOPE)
    rotate(tenant, endless, overlap=timedelta(hours=1))
    assert not look(tenant)
    issue(tenant, SCOPE, lifetime=LONG)
    ends_in(tenant, 2)
    for status in ("suspended", "deleted"):
        with tenant.unit(Home.ACCOUNT) as unit:
            unit.session.get_one(Tenant, tenant.id).status = status
            unit.commit()
        assert not look(tenant)
    with tenant.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, tenant.id).status = "active"
        unit.commit()
    assert look(tenant)


def test_a_renewed_key_is_told_of_anew(tenant: Made, look: Callable[..., bool], letters: Letters) -> None:
    """A rotation with a new end puts the reminders off; the old secret does not outlive the end that the key had."""
    key_id, _ = issue(tenant, SCOPE, lifetime=LONG)
    ends_in(tenant, 3)
    assert look(tenant)
    with tenant.unit(Home.ACCOUNT) as unit:
        before = api_keys.get_key(unit, key_id).expires_at
    rotate(tenant, key_id, overlap=timedelta(days=30), lifetime=LONG)
    with tenant.unit(Home.ACCOUNT) as unit:
        _present, old = key_rotations.secrets_of(unit, key_id)
        assert old.ends_at == before and api_keys.get_key(unit, key_id).expires_at > before  # type: ignore[operator]
    assert not look(tenant)
    ends_in(tenant, 14)
    assert look(tenant) and len(subjects(letters, tenant)) == 2


def test_four_workers_and_a_kill_send_one(tenant: Made, worker_units: Units, letters: Letters) -> None:
    """One that is killed before its commit has sent nothing; four at the same moment send one mail."""
    issue(tenant, SCOPE, lifetime=LONG)
    ends_in(tenant, 3)
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, STEWARD) as unit:
        assert key_reminders.remind(unit)  # and the process dies here
    assert subjects(letters, tenant) == []
    gate = threading.Barrier(4)

    def look() -> None:
        gate.wait()
        Steward(worker_units).remind_of_keys()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with tenant.unit(Home.ACCOUNT) as unit:
        assert unit.session.scalar(text("SELECT count(*) FROM account.api_keys WHERE expiry_told = 3")) == 1
    assert subjects(letters, tenant) == ["Acme: the API key tests expires in 3 days"]
