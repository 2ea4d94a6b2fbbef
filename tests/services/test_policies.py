"""A tenant's demand for a second factor: who may make it, whom it ends, that nobody locks themselves out."""

import pytest
from sqlalchemy import select

from app.core.errors import FactorRequired, PermissionDenied
from app.core.permissions import Role, permissions_of
from app.db.units import Home, Units
from app.models.accounts import AccountAuditEvent
from app.services import accounts, entrances, memberships, policies
from app.tenancy.actors import Actor, ActorKind
from tests.peers.apps import add_app
from tests.peers.tenants import ORIGIN, Made, make_tenant


def join(units: Units, tenant: Made, other: Made) -> None:
    """Make the first member of one tenant a viewer of another."""
    assert other.actor.id is not None
    with tenant.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, other.actor.id, other.email, "Vic Viewer", Role.VIEWER, source="scim")
        unit.commit()


def session_of(units: Units, made: Made, *, strong: bool = False, through: Made | None = None) -> str:
    """Open a session of the tenant's first member; return its token."""
    assert made.actor.id is not None
    with units.identify() as door:
        via = through.id if through else None
        token = accounts.open_session_for(door, made.actor.id, ORIGIN, strong=strong, sso_tenant_id=via)
        door.commit()
    return token


def is_open(units: Units, token: str) -> bool:
    with units.identify() as door:
        return entrances.by_session(door, token, None) is not None


def test_the_demand_ends_sessions_that_showed_no_factor(units: Units) -> None:
    """Those of members, wherever they are; not strong ones, those through the tenant's provider, or a stranger's."""
    tenant, member, stranger = (make_tenant(units) for _ in range(3))
    join(units, tenant, member)
    weak, strong = session_of(units, member), session_of(units, member, strong=True)
    through, elsewhere = session_of(units, member, through=tenant), session_of(units, member, through=stranger)
    theirs = session_of(units, stranger)
    with tenant.unit(Home.ACCOUNT) as unit:
        ended = policies.require_factor(unit, True, conforms=True)
        unit.commit()
    assert [is_open(units, token) for token in (weak, elsewhere)] == [False, False]
    assert [is_open(units, token) for token in (strong, through, theirs)] == [True] * 3
    assert ended >= 2
    with units.identify() as door:
        visitor = entrances.by_session(door, session_of(units, member), tenant.slug)
        assert visitor is not None
        with pytest.raises(FactorRequired):
            entrances.enter_tenant(door, visitor, Home.ACCOUNT, origin=ORIGIN)


def test_a_factor_that_is_set_up_must_be_shown(units: Units, tenant: Made) -> None:
    """Having a factor is not enough, as it is with others: a session in which it was not shown stays outside."""
    add_app(units, tenant)
    with tenant.unit(Home.ACCOUNT) as unit:
        policies.require_factor(unit, True, conforms=True)
        unit.commit()
    for strong in (False, True):
        with units.identify() as door:
            visitor = entrances.by_session(door, session_of(units, tenant, strong=strong), tenant.slug)
            assert visitor is not None
            if strong:
                entrances.require_conforming(visitor)
            else:
                with pytest.raises(FactorRequired):
                    entrances.require_conforming(visitor)


def test_nobody_locks_themselves_out(units: Units, tenant: Made) -> None:
    """Whoever has shown no factor cannot ask others for one, and may always ask for less."""
    with tenant.unit(Home.ACCOUNT) as unit:
        with pytest.raises(FactorRequired):
            policies.require_factor(unit, True, conforms=False)
        policies.require_factor(unit, True, conforms=True)
        assert policies.get_policy(unit).mfa_required
        policies.require_factor(unit, False, conforms=False)
        assert not policies.get_policy(unit).mfa_required
        actions = unit.session.scalars(select(AccountAuditEvent.action)).all()
        assert actions.count("policy.update") == 2


def test_who_conforms_is_told_of_members_alone(units: Units) -> None:
    """Members without a factor stand first; a stranger's factor is not counted."""
    tenant, member, stranger = (make_tenant(units) for _ in range(3))
    join(units, tenant, member)
    add_app(units, tenant)
    add_app(units, stranger)
    with tenant.unit(Home.ACCOUNT) as unit:
        found = policies.conformity(unit)
    assert (found.having, found.lacking) == (1, 1)
    assert [(row.email, row.has_factor) for row in found.members] == [(member.email, False), (tenant.email, True)]


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER, Role.AUDITOR])
def test_a_demand_needs_its_permission(tenant: Made, role: Role) -> None:
    """Who may not change sign-in settings changes none; an auditor sees them."""
    actor = Actor(ActorKind.USER, tenant.actor.id, tenant.email, frozenset(str(p) for p in permissions_of(role)))
    with tenant.unit(Home.ACCOUNT, actor) as unit:
        with pytest.raises(PermissionDenied):
            policies.require_factor(unit, True, conforms=True)
        if role is Role.AUDITOR:
            assert not policies.get_policy(unit).mfa_required
        else:
            with pytest.raises(PermissionDenied):
                policies.conformity(unit)
