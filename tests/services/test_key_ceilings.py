"""The tenant's ceiling over its keys: enforced at issue and rotation, told of keys in force."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.errors import Invalid, PermissionDenied
from app.db.units import Home, Units
from app.services import api_keys, audit, key_ceilings
from app.services.key_ceilings import Ceiling
from app.tenancy.actors import ActorKind
from tests.peers.programs import issue, make_account, rotate
from tests.peers.tenants import Made, make_tenant

SCOPE = "tenant:scans:read"


def limit(made: Made, most_days: int | None, *, required: bool = False) -> None:
    """Set the tenant's ceiling."""
    with made.unit(Home.ACCOUNT) as unit:
        key_ceilings.change_ceiling(unit, most_days=most_days, expiry_required=required)
        unit.commit()


@pytest.mark.parametrize(
    ("most_days", "required", "lifetime", "words"),
    [
        (None, False, None, None),
        (None, True, None, "must expire"),
        (None, True, timedelta(days=365), None),
        (90, False, None, "at most 90 days"),
        (90, False, timedelta(days=90), None),
        (90, False, timedelta(days=92), "at most 90 days"),
    ],
)
def test_a_key_is_issued_beneath_the_ceiling(
    units: Units, most_days: int | None, required: bool, lifetime: timedelta | None, words: str | None
) -> None:
    """What is beyond it is refused beside the field; a longest life asks for an end too."""
    made = make_tenant(units)
    limit(made, most_days, required=required)
    if words is None:
        issue(made, SCOPE, lifetime=lifetime)
        return
    with pytest.raises(Invalid) as refused:
        issue(made, SCOPE, lifetime=lifetime)
    assert words in refused.value.fields["lifetime"]


def test_the_ceiling_holds_for_service_accounts_too(units: Units) -> None:
    """No kind of key gets round it."""
    made = make_tenant(units)
    account_id = make_account(made, SCOPE)
    limit(made, 30)
    with pytest.raises(Invalid):
        issue(made, SCOPE, account_id=account_id)


def test_a_last_day_within_the_ceiling_will_do(units: Units) -> None:
    """A key through the 30th day from now is beneath a ceiling of 30 days, although it ends at midnight after it."""
    made = make_tenant(units)
    limit(made, 30)
    with made.unit(Home.ACCOUNT) as unit:
        for days, fits in ((30, True), (32, False)):
            given = {"name": "x", "scopes": [SCOPE], "pepper": b"p" * 32}
            last_day = (unit.now() + timedelta(days=days)).date()
            if fits:
                api_keys.issue_key(unit, **given, last_day=last_day)
            else:
                with pytest.raises(Invalid) as refused:
                    api_keys.issue_key(unit, **given, last_day=last_day)
                assert "last_day" in refused.value.fields


def test_keys_in_force_stay_and_a_rotation_brings_them_beneath(units: Units) -> None:
    """An endless key works on under a new ceiling; rotated, it ends as late as is allowed."""
    made = make_tenant(units)
    endless, _ = issue(made, SCOPE)
    short, _ = issue(made, SCOPE, lifetime=timedelta(days=3))
    limit(made, 10)
    with made.unit(Home.ACCOUNT) as unit:
        assert api_keys.get_key(unit, endless).expires_at is None
        before = api_keys.get_key(unit, short).expires_at
    for key_id in (endless, short):
        rotate(made, key_id, overlap=timedelta(days=30))
    with made.unit(Home.ACCOUNT) as unit:
        ends_at = api_keys.get_key(unit, endless).expires_at
        assert ends_at is not None
        assert timedelta(days=9, hours=23) < ends_at - unit.now() <= timedelta(days=10)
        assert api_keys.get_key(unit, short).expires_at == before


def test_where_only_an_end_is_asked_for_a_rotation_gives_a_year(units: Units) -> None:
    """An endless key that is rotated where keys must expire ends in a year."""
    made = make_tenant(units)
    key_id, _ = issue(made, SCOPE)
    limit(made, None, required=True)
    rotate(made, key_id)
    with made.unit(Home.ACCOUNT) as unit:
        ends_at = api_keys.get_key(unit, key_id).expires_at
        assert ends_at is not None and timedelta(days=364) < ends_at - unit.now() <= timedelta(days=365)


def test_the_ceiling_is_counted_from_the_present_secret(units: Units) -> None:
    """A key of a year that is nearly over is beyond a ceiling of 90 days all the same: its secret is that old."""
    now = make_tenant(units).units.clock.now()
    assert Ceiling(90, False).is_exceeded(now + timedelta(days=5), now - timedelta(days=360))
    assert not Ceiling(90, False).is_exceeded(now + timedelta(days=5), now - timedelta(days=80))
    assert not Ceiling(None, True).is_exceeded(now + timedelta(days=5000), now)


@pytest.mark.parametrize("days", [0, -1, 5 * 366 + 1])
def test_days_that_will_not_do_are_refused(units: Units, days: int) -> None:
    """A longest life is from one day to five years."""
    made = make_tenant(units)
    with pytest.raises(Invalid) as refused:
        limit(made, days)
    assert set(refused.value.fields) == {"most_days"}


def test_changing_the_ceiling_asks_for_its_permission_and_is_audited(units: Units) -> None:
    """Who may issue keys may not lift the ceiling over them by that alone; a change leaves before and after."""
    made = make_tenant(units)
    less = replace(made.actor, permissions=made.actor.permissions - {"tenant:settings:write"})
    with made.unit(Home.ACCOUNT, less) as unit, pytest.raises(PermissionDenied, match="settings"):
        key_ceilings.change_ceiling(unit, most_days=1, expiry_required=True)
    program = replace(made.actor, kind=ActorKind.KEY)
    with made.unit(Home.ACCOUNT, program) as unit, pytest.raises(PermissionDenied, match="A key"):
        key_ceilings.change_ceiling(unit, most_days=1, expiry_required=True)
    for _ in range(2):
        limit(made, 90, required=True)
    with made.unit() as unit:
        events = [event for event in audit.list_events(unit).rows if event.action == "key_ceiling.change"]
    assert len(events) == 1
    assert events[0].before == {"key_most_days": None, "key_expiry_required": False}
    assert events[0].after == {"key_most_days": 90, "key_expiry_required": True}
