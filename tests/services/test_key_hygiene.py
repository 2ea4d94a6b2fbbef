"""Key hygiene: which keys are remarked on and why, and several revoked at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.core.clock import SetClock
from app.core.errors import Invalid, NotFound
from app.core.ids import new_id
from app.db import key_uses
from app.db.key_uses import KeyUse
from app.db.units import Home, Units
from app.services import api_keys, key_ceilings, key_hygiene, key_secrets
from app.services.key_hygiene import Trait
from tests.peers.programs import issue, opens, rotate
from tests.peers.tenants import Made, make_tenant

READ, WRITE = "tenant:scans:read", "tenant:scans:write"
MONTH = timedelta(days=30)


@contextmanager
def ago(units: Units, span: timedelta) -> Iterator[datetime]:
    """Do something as if it were some time ago."""
    ticking, units.clock = units.clock, SetClock(datetime.now(UTC) - span)
    try:
        yield units.clock.now()
    finally:
        units.clock = ticking


def use(made: Made, key_id: UUID, *scopes: str, span: timedelta = timedelta(0), present: bool = True) -> None:
    """Have a key used some time ago."""
    with made.unit(Home.ACCOUNT) as unit:
        secret = key_secrets.secrets_of(unit, key_id)[0 if present else 1]
    with made.units.identify() as door:
        at = datetime.now(UTC) - span
        key_uses.note(door.session, [KeyUse(made.id, secret.id, "203.0.113.9", "x", at, scopes)])
        door.commit()


def remarks(made: Made) -> dict[str, set[UUID]]:
    """Return the keys that are remarked on, by trait."""
    with made.unit(Home.ACCOUNT) as unit:
        found = key_hygiene.look_over_keys(unit)
    return {str(trait): {each.key.id for each in rows} for trait, rows in found.remarks.items() if rows}


def test_a_key_that_is_used_and_ends_is_not_remarked_on(units: Units) -> None:
    """A key in use, with an end, whose scopes are all exercised, is fine."""
    made = make_tenant(units)
    with ago(units, MONTH):
        key_id, _ = issue(made, READ, lifetime=timedelta(days=90))
    use(made, key_id, READ)
    assert remarks(made) == {}


def test_a_fresh_key_is_given_a_week(units: Units) -> None:
    """A key that was issued today is not called unused."""
    made = make_tenant(units)
    issue(made, READ, lifetime=MONTH)
    assert remarks(made) == {}


def test_each_trait_is_seen(units: Units) -> None:
    """Never used, idle, unused scopes and no expiry are told apart, each by its own keys."""
    made = make_tenant(units)
    with ago(units, timedelta(days=200)):
        never, idle, wide, endless = (issue(made, READ, WRITE, lifetime=timedelta(days=900))[0] for _ in range(4))
        endless, _ = issue(made, READ)
    use(made, idle, READ, WRITE, span=timedelta(days=91))
    use(made, wide, READ)
    use(made, endless, READ)
    found = remarks(made)
    assert found[Trait.IDLE] == {idle}
    assert found[Trait.UNUSED_SCOPES] == {wide}
    assert found[Trait.NO_EXPIRY] == {endless}
    assert never in found[Trait.NEVER_USED] and not {idle, wide, endless} & found[Trait.NEVER_USED]
    with made.unit(Home.ACCOUNT) as unit:
        rows = key_hygiene.look_over_keys(unit).remarks[Trait.UNUSED_SCOPES]
    assert [row.scopes for row in rows] == [(WRITE,)]


def test_keys_beyond_the_ceiling_are_listed(units: Units) -> None:
    """A key from before the ceiling that lasts longer than it allows is remarked on; a rotation mends that."""
    made = make_tenant(units)
    long, _ = issue(made, READ, lifetime=timedelta(days=365))
    issue(made, READ, lifetime=timedelta(days=20))
    with made.unit(Home.ACCOUNT) as unit:
        key_ceilings.change_ceiling(unit, most_days=30, expiry_required=False)
        unit.commit()
    assert remarks(made) == {Trait.OVER_CEILING: {long}}
    rotate(made, long)
    assert remarks(made) == {}


def test_an_old_secret_in_use_is_listed_until_it_ends(units: Units) -> None:
    """Use of the old secret before the rotation does not count; after it does, until the overlap is over."""
    made = make_tenant(units)
    key_id, _ = issue(made, READ, lifetime=MONTH)
    use(made, key_id, READ, span=timedelta(hours=1))
    rotate(made, key_id)
    assert remarks(made) == {}
    use(made, key_id, READ, present=False)
    assert remarks(made) == {Trait.OVERLAP: {key_id}}
    rotate(made, key_id, overlap=timedelta(0))
    assert remarks(made) == {}


def test_keys_that_ended_are_left_alone(units: Units) -> None:
    """Revoked and expired keys are not remarked on."""
    made = make_tenant(units)
    with ago(units, timedelta(days=200)):
        issue(made, READ, lifetime=timedelta(days=1))
        revoked, _ = issue(made, READ)
    with made.unit(Home.ACCOUNT) as unit:
        api_keys.revoke_key(unit, revoked)
        unit.commit()
    assert remarks(made) == {}


def test_several_keys_are_revoked_at_once(units: Units) -> None:
    """All of the chosen keys are refused from the next call on, and no other."""
    made = make_tenant(units)
    (one, first), (two, second), (_three, third) = (issue(made, READ) for _ in range(3))
    with made.unit(Home.ACCOUNT) as unit:
        assert [key.id for key in key_hygiene.revoke_keys(unit, [one, two, one])] == [one, two]
        unit.commit()
    assert [opens(units, secret) for secret in (first, second, third)] == [False, False, True]


def test_none_is_revoked_where_one_is_not_ours(units: Units) -> None:
    """The real id of another tenant's key among the chosen ones revokes nothing at all."""
    made, other = make_tenant(units), make_tenant(units)
    mine, secret = issue(made, READ)
    theirs, their_secret = issue(other, READ)
    with made.unit(Home.ACCOUNT) as unit:
        with pytest.raises(NotFound):
            key_hygiene.revoke_keys(unit, [mine, theirs])
        with pytest.raises(Invalid):
            key_hygiene.revoke_keys(unit, [])
        with pytest.raises(Invalid):
            key_hygiene.revoke_keys(unit, [new_id() for _ in range(101)])
    assert opens(units, secret) and opens(units, their_secret)
