"""Who comes in: what a tenant's policy asks of a session, permissions beside the role's, proofs that grow old."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.crypto import token_hash
from app.core.errors import ConfirmationRequired, FactorRequired, SsoRequired
from app.core.ids import new_id
from app.core.permissions import Permission, Role
from app.db import directory
from app.db.directory import Visitor
from app.db.units import Home, Units
from app.models.accounts import ExtraPermission, Membership
from app.models.tenants import TenantPolicy
from app.services import accounts, entrances
from tests.peers.tenants import ORIGIN, Made, make_tenant


def set_policy(made: Made, **values: bool) -> None:
    """Give the tenant a policy."""
    with made.unit(Home.ACCOUNT) as unit:
        unit.session.merge(TenantPolicy(tenant_id=made.id, **values))
        unit.commit()


def visit(made: Made, *, strong: bool = False, through: Made | None = None) -> Visitor:
    """Return what the directory tells of a new session of the tenant's first member."""
    with made.units.identify() as door:
        assert made.actor.id is not None
        via = None if through is None else through.id
        token = accounts.open_session_for(door, made.actor.id, ORIGIN, strong=strong, sso_tenant_id=via)
        door.commit()
    with made.units.identify() as door:
        found = directory.begin_session(door.session, token_hash(token), made.slug)
        assert found is not None
        return found


def demote(made: Made, role: Role = Role.ADMIN) -> None:
    """Give the tenant's first member a lesser role, beneath another owner."""
    with made.unit(Home.ACCOUNT) as unit:
        unit.session.query(Membership).update({"role": role})
        other = {"user_id": new_id(), "email": "other@example.com", "name": "Other"}
        unit.session.add(Membership(role=Role.OWNER, created_at=unit.now(), **other))
        unit.commit()


def test_without_a_policy_a_password_will_do(units: Units) -> None:
    """A tenant that asks for nothing lets a session in that showed a password."""
    entrances.require_conforming(visit(make_tenant(units)))


def test_a_second_factor_where_the_tenant_asks_for_one(units: Units) -> None:
    """Without one the session is refused, with one it comes in."""
    made = make_tenant(units)
    set_policy(made, mfa_required=True)
    with pytest.raises(FactorRequired):
        entrances.require_conforming(visit(made))
    entrances.require_conforming(visit(made, strong=True))


def test_a_provider_that_is_not_the_tenants(units: Units) -> None:
    """Where sign-in through the provider is enforced, another tenant's provider and a password are alike refused."""
    made, other = make_tenant(units), make_tenant(units)
    demote(made)
    set_policy(made, sso_required=True)
    for visitor in (visit(made), visit(made, strong=True), visit(made, strong=True, through=other)):
        with pytest.raises(SsoRequired):
            entrances.require_conforming(visitor)
    entrances.require_conforming(visit(made, through=made))


def test_an_owners_way_back(units: Units) -> None:
    """An owner comes in past an enforced provider with a second factor, and not without."""
    made = make_tenant(units)
    set_policy(made, sso_required=True)
    with pytest.raises(FactorRequired):
        entrances.require_conforming(visit(made))
    entrances.require_conforming(visit(made, strong=True))


def test_permissions_beside_the_roles(units: Units) -> None:
    """An extra permission counts until its last moment and not after it."""
    made = make_tenant(units)
    now = datetime.now(UTC)
    demote(made, Role.VIEWER)
    with made.unit(Home.ACCOUNT) as unit:
        for permission, until in (("tenant:scans:write", now + timedelta(hours=1)), ("tenant:audit:read", now)):
            unit.session.add(
                ExtraPermission(
                    user_id=made.actor.id,
                    permission=permission,
                    until=until,
                    reason="on duty",
                    granted_by=new_id(),
                    granted_label="x",
                    created_at=now,
                )
            )
        unit.commit()
    found = visit(made)
    assert found.role is not None
    held = entrances.granted(found.role, found.extra_permissions)
    assert Permission.SCANS_WRITE in held
    assert Permission.AUDIT_READ not in held


def test_a_proof_grows_old(units: Units) -> None:
    """A proof of who asks holds for 15 minutes."""
    visitor = visit(make_tenant(units))
    entrances.require_confirmed(visitor, visitor.proof.confirmed_at + timedelta(minutes=15))
    with pytest.raises(ConfirmationRequired):
        entrances.require_confirmed(visitor, visitor.proof.confirmed_at + timedelta(minutes=15, seconds=1))
