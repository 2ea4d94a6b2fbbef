"""Extra permissions, and why a person can do something."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from app.core.permissions import Permission, Role, permissions_of
from app.db.units import Home, Units
from app.models.accounts import ExtraPermission
from app.services import accounts, entrances, explanations, extras
from app.services.explanations import Explained
from tests.peers.members import end, make_member, trail, user_of
from tests.peers.tenants import ORIGIN, Made
from tests.plugins.servers import Database

AUDIT = Permission.AUDIT_READ


def grant(
    made: Made, whom: Made, permission: str = AUDIT, by: Made | None = None, days: int | None = None
) -> ExtraPermission:
    with made.unit(Home.ACCOUNT, (by or made).actor) as unit:
        day = None if days is None else (datetime.now(UTC) + timedelta(days=days)).date()
        extra = extras.grant_extra(unit, user_of(whom), permission, reason="covers for Ann", last_day=day)
        unit.commit()
        return extra


def held(units: Units, made: Made) -> frozenset[str]:
    """What a request of the person is decided on."""
    with units.identify() as door:
        token = accounts.sign_in(door, made.email, made.password, origin=ORIGIN).token
        visitor = entrances.by_session(door, token, made.slug)
        assert visitor is not None
        return entrances.enter_tenant(door, visitor, Home.ACCOUNT, origin=ORIGIN).actor.permissions


def explained(made: Made, whom: Made) -> dict[str, Explained]:
    with made.unit(Home.ACCOUNT) as unit:
        return {one.permission: one for one in explanations.explain(unit, user_of(whom))}


def test_an_extra_holds_from_the_next_request_until_it_ends(
    tenant: Made, units: Units, postgres_server: Database
) -> None:
    """Granted, it is there; over, it is gone without anybody's doing; ended, it is gone at once. All recorded."""
    viewer = make_member(tenant, Role.VIEWER)
    extra = grant(tenant, viewer, days=0)
    assert AUDIT in held(units, viewer)
    for table in ("account.extra_permissions", "auth.extra_permissions"):
        with psycopg.connect(postgres_server.superuser) as outside:
            outside.execute(f"UPDATE {table} SET until = now() WHERE id = %s".encode(), [extra.id])
    assert AUDIT not in held(units, viewer)
    extra = grant(tenant, viewer)
    assert AUDIT in held(units, viewer)
    with tenant.unit(Home.ACCOUNT) as unit:
        extras.end_extra(unit, user_of(viewer), extra.id)
        unit.commit()
    assert AUDIT not in held(units, viewer)
    assert [row[0] for row in trail(tenant)][-3:] == ["membership.grant", "membership.grant", "membership.take"]


def test_nobody_grants_what_they_lack_or_have_as_an_extra(tenant: Made) -> None:
    """A clerk grants what the own role has; not more, not an extra of their own, and nothing to themselves."""
    clerk, viewer = make_member(tenant, Role.OPERATOR), make_member(tenant, Role.VIEWER)
    grant(tenant, clerk, Permission.PEOPLE_WRITE)
    clerk = replace(
        clerk,
        actor=replace(
            clerk.actor, permissions=clerk.actor.permissions | {Permission.PEOPLE_WRITE, Permission.PEOPLE_READ}
        ),
    )
    grant(tenant, viewer, Permission.SCANS_WRITE, clerk)
    for permission, whom in (
        (Permission.KEYS_WRITE, viewer),
        (Permission.PEOPLE_WRITE, viewer),
        (Permission.SCANS_WRITE, clerk),
    ):
        with pytest.raises((PermissionDenied, Conflict)):
            grant(tenant, whom, permission, clerk)
    with pytest.raises(PermissionDenied):
        grant(tenant, tenant, AUDIT, clerk)


def test_what_will_not_do_is_told(tenant: Made) -> None:
    """A day that is over, no reason, an unknown permission; what the role has already; ownership for nobody."""
    viewer = make_member(tenant, Role.VIEWER)
    with pytest.raises(Invalid):
        grant(tenant, viewer, days=-1)
    for permission in ("tenant:everything:write", Permission.OWNERSHIP_WRITE):
        with pytest.raises(Invalid):
            grant(tenant, viewer, permission)
    with pytest.raises(Conflict, match="already"):
        grant(tenant, viewer, Permission.SCANS_READ)
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(Invalid):
        extras.grant_extra(unit, user_of(viewer), AUDIT, reason=" ")


def test_an_extra_is_ended_by_its_person_and_id(tenant: Made) -> None:
    """The id of somebody else's extra permission is not found."""
    one, two = make_member(tenant, Role.VIEWER), make_member(tenant, Role.VIEWER)
    extra = grant(tenant, one)
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(NotFound):
        extras.end_extra(unit, user_of(two), extra.id)


def test_extras_end_with_the_membership(tenant: Made) -> None:
    """They are named among what ends, and are gone."""
    viewer = make_member(tenant, Role.VIEWER)
    grant(tenant, viewer)
    assert end(tenant, tenant, viewer).extras == (AUDIT,)
    with tenant.unit(Home.ACCOUNT) as unit:
        assert extras.list_extras(unit, user_of(viewer)) == []


@pytest.mark.parametrize("role", list(Role))
def test_the_explanation_is_what_a_request_is_decided_on(tenant: Made, units: Units, role: Role) -> None:
    """For each role, with an extra: what is explained as held is exactly what the person holds."""
    person = make_member(tenant, role)
    if AUDIT not in permissions_of(role):
        grant(tenant, person)
    why = explained(tenant, person)
    assert {name for name, one in why.items() if one.held} == held(units, person)
    assert set(why) == set(Permission)


def test_each_permission_names_its_source(tenant: Made) -> None:
    """By the role; as an extra with who, why and until when; missing, with the roles that would give it."""
    viewer = make_member(tenant, Role.VIEWER)
    extra = grant(tenant, viewer, days=3)
    why = explained(tenant, viewer)
    assert why[Permission.SCANS_READ].role == "viewer"
    found = why[AUDIT]
    assert (found.role, found.by, found.reason, found.until) == (None, tenant.email, "covers for Ann", extra.until)
    assert not why[Permission.OWNERSHIP_WRITE].held and why[Permission.OWNERSHIP_WRITE].roles == (Role.OWNER,)
