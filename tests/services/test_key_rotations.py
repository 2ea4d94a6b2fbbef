"""Rotation of API keys: how long the old secret works, what it ends at, and who may rotate."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.core.clock import SetClock
from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied, Unauthenticated
from app.core.settings import settings
from app.db.units import Home, Units
from app.services import api_keys, audit, entrances, key_rotations, key_secrets
from app.services.key_rotations import is_overlapping
from app.tenancy.actors import ActorKind
from tests.peers.programs import issue, opens, rotate
from tests.peers.tenants import ORIGIN, make_tenant

SCOPE = "tenant:scans:read"


def test_both_secrets_work_during_the_overlap(units: Units) -> None:
    """A rotation of a day leaves the old secret working beside the new one, and both open the same key."""
    made = make_tenant(units)
    key_id, old = issue(made, SCOPE)
    new = rotate(made, key_id)
    assert old != new
    with units.identify() as door:
        holders = [entrances.find_key(door, s, peppers=settings().peppers, origin=ORIGIN).holder for s in (old, new)]
    assert [holder.key_id for holder in holders] == [key_id, key_id]
    assert holders[0].secret_id != holders[1].secret_id
    assert opens(units, old) and opens(units, new)


def test_an_overlap_of_none_ends_the_old_secret_at_once(units: Units) -> None:
    """With no overlap the old secret is refused from the next call on, and the refusal says why."""
    made = make_tenant(units)
    key_id, old = issue(made, SCOPE)
    new = rotate(made, key_id, overlap=timedelta(0))
    assert opens(units, new)
    with units.identify() as door, pytest.raises(Unauthenticated, match="replaced by a newer one"):
        entrances.by_key(door, entrances.find_key(door, old, peppers=settings().peppers, origin=ORIGIN))


def test_an_overlap_is_ended_by_hand(units: Units) -> None:
    """Ending the overlap refuses the old secret; doing so twice changes nothing more."""
    made = make_tenant(units)
    key_id, old = issue(made, SCOPE)
    new = rotate(made, key_id)
    for _ in range(2):
        with made.unit(Home.ACCOUNT) as unit:
            key_rotations.end_overlap(unit, key_id)
            unit.commit()
    assert not opens(units, old) and opens(units, new)
    with made.unit() as unit:
        actions = [event.action for event in audit.list_events(unit).rows]
    assert actions.count("api_key.end-overlap") == 1


def test_a_second_rotation_ends_the_first_old_secret(units: Units) -> None:
    """During an overlap a further rotation leaves two secrets working, never three."""
    made = make_tenant(units)
    key_id, first = issue(made, SCOPE)
    second = rotate(made, key_id)
    third = rotate(made, key_id)
    assert [opens(units, secret) for secret in (first, second, third)] == [False, True, True]


def test_the_overlap_never_outlives_the_keys_expiry(units: Units) -> None:
    """An overlap of a week on a key with an hour left ends with the key."""
    made = make_tenant(units)
    key_id, _old = issue(made, SCOPE, lifetime=timedelta(hours=1))
    rotate(made, key_id, overlap=timedelta(days=7))
    with made.unit(Home.ACCOUNT) as unit:
        key = api_keys.get_key(unit, key_id)
        present, old = key_secrets.secrets_of(unit, key_id)
        assert old.ends_at == key.expires_at
        assert present.ends_at is None and is_overlapping(old, unit.now())


def test_a_rotation_keeps_scopes_networks_limit_and_expiry(units: Units) -> None:
    """What the key was held to stays as it was: a rotation prolongs and widens nothing."""
    made = make_tenant(units)
    key_id, _secret = issue(made, SCOPE, lifetime=timedelta(days=3), networks=["203.0.113.0/24"])
    names = ("name", "scopes", "networks", "expires_at", "calls_per_minute", "maker_id", "created_at")
    with made.unit(Home.ACCOUNT) as unit:
        before = {name: getattr(api_keys.get_key(unit, key_id), name) for name in names}
    rotate(made, key_id)
    with made.unit(Home.ACCOUNT) as unit:
        assert {name: getattr(api_keys.get_key(unit, key_id), name) for name in names} == before


def test_an_expired_or_revoked_key_cannot_be_rotated(units: Units) -> None:
    """A key that ended stays ended: another one must be issued."""
    made = make_tenant(units)
    expired, _ = issue(made, SCOPE, lifetime=timedelta(microseconds=1))
    revoked, _ = issue(made, SCOPE)
    with made.unit(Home.ACCOUNT) as unit:
        api_keys.revoke_key(unit, revoked)
        unit.commit()
    for key_id in (expired, revoked):
        with pytest.raises(Conflict):
            rotate(made, key_id)


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=31)])
def test_an_overlap_that_will_not_do_is_refused(units: Units, overlap: timedelta) -> None:
    """An overlap is neither negative nor longer than 30 days."""
    made = make_tenant(units)
    key_id, _secret = issue(made, SCOPE)
    with pytest.raises(Invalid):
        rotate(made, key_id, overlap=overlap)


def test_a_key_rotates_no_key(units: Units) -> None:
    """A program, even one with all permissions, rotates neither another key nor its own, and ends no overlap."""
    made = make_tenant(units)
    key_id, _secret = issue(made, SCOPE)
    program = replace(made.actor, kind=ActorKind.KEY, id=key_id)
    with made.unit(Home.ACCOUNT, program) as unit:
        with pytest.raises(PermissionDenied):
            key_rotations.rotate_key(unit, key_id, pepper=settings().peppers[0])
        with pytest.raises(PermissionDenied):
            key_rotations.end_overlap(unit, key_id)


def test_nobody_rotates_a_key_that_may_more_than_they(units: Units) -> None:
    """Whoever lacks one of the key's scopes gets no secret of it."""
    made = make_tenant(units)
    key_id, _secret = issue(made, SCOPE, "tenant:scans:write")
    less = replace(made.actor, permissions=made.actor.permissions - {"tenant:scans:write"})
    with made.unit(Home.ACCOUNT, less) as unit, pytest.raises(PermissionDenied, match="scans:write"):
        key_rotations.rotate_key(unit, key_id, pepper=settings().peppers[0])


def test_another_tenants_key_is_not_found(units: Units) -> None:
    """The real id of another tenant's key rotates nothing."""
    made, other = make_tenant(units), make_tenant(units)
    key_id, secret = issue(other, SCOPE)
    with pytest.raises(NotFound):
        rotate(made, key_id)
    assert opens(units, secret)


def test_a_rotation_is_audited_without_a_secret(units: Units) -> None:
    """The audit row says who rotated and until when the old secret works; neither secret is in it."""
    made = make_tenant(units)
    key_id, old = issue(made, SCOPE)
    new = rotate(made, key_id)
    with made.unit() as unit:
        event = next(e for e in audit.list_events(unit).rows if e.action == "api_key.rotate")
    assert event.target_id == key_id and event.actor_label == made.email
    assert event.after is not None and event.after["old_secret_ends_at"] > datetime.now(UTC).isoformat()
    assert old not in str(event.after) and new not in str(event.after)


def test_an_old_secret_ends_by_the_clock(units: Units) -> None:
    """When its time is over the old secret is no longer shown as working."""
    made = make_tenant(units)
    key_id, _old = issue(made, SCOPE)
    rotate(made, key_id, overlap=timedelta(hours=1))
    with made.unit(Home.ACCOUNT) as unit:
        _present, old = key_secrets.secrets_of(unit, key_id)
        clock = SetClock(unit.now())
        assert is_overlapping(old, clock.now())
        clock.advance(timedelta(hours=1))
        assert not is_overlapping(old, clock.now())
