"""Ownership changes hands with consent alone, in one transaction, and never leaves a tenant without an owner."""

from dataclasses import replace

import psycopg
import pytest

from app.core.errors import Conflict, NotFound, PermissionDenied
from app.core.permissions import Role
from app.db.units import Home, Units
from app.models.accounts import OwnershipOffer
from app.services import ownerships
from app.tenancy.actors import ActorKind
from tests.peers.letters import Letters, text_of
from tests.peers.members import change, end, make_member, roles, trail, user_of
from tests.peers.tenants import Made
from tests.plugins.servers import Database


def offer(made: Made, to: Made, by: Made | None = None, *, steps_down: bool = True) -> OwnershipOffer:
    with made.unit(Home.ACCOUNT, (by or made).actor) as unit:
        made_offer = ownerships.offer_ownership(unit, user_of(to), steps_down=steps_down)
        unit.commit()
        return made_offer


def accept(made: Made, by: Made) -> None:
    with made.unit(Home.ACCOUNT, by.actor) as unit:
        ownerships.accept_ownership(unit)
        unit.commit()


def test_roles_change_hands_once_the_other_accepts(tenant: Made, letters: Letters) -> None:
    """Offered, nothing changes and a mail says where to accept; accepted, one is owner and the other admin."""
    admin = make_member(tenant, Role.VIEWER)
    offer(tenant, admin)
    assert roles(tenant) == {tenant.email: "owner", admin.email: "viewer"}
    letter = letters.last(admin.email)
    assert letter["Subject"] == "You are offered the ownership of Acme"
    assert f"/t/{tenant.slug}/ownership" in text_of(letter) and "works once" not in text_of(letter)
    accept(tenant, admin)
    assert roles(tenant) == {tenant.email: "admin", admin.email: "owner"}
    actions = [row[0] for row in trail(tenant)]
    assert actions[-4:] == ["ownership.offer", "ownership.accepted", "membership.change", "membership.change"]


def test_the_giver_may_stay_an_owner(tenant: Made) -> None:
    """Offered without stepping down, both are owners afterwards."""
    other = make_member(tenant, Role.ADMIN)
    offer(tenant, other, steps_down=False)
    accept(tenant, other)
    assert set(roles(tenant).values()) == {"owner"}


def test_only_whom_it_is_made_to_accepts(tenant: Made) -> None:
    """Another member, the giver, or a key finds nothing to accept or refuse, and sees no offer."""
    taker, other = make_member(tenant, Role.ADMIN), make_member(tenant, Role.ADMIN)
    offer(tenant, taker)
    key = replace(taker, actor=replace(taker.actor, kind=ActorKind.KEY))
    for who in (other, tenant, key):
        with pytest.raises(NotFound):
            accept(tenant, who)
    with tenant.unit(Home.ACCOUNT, other.actor) as unit:
        assert ownerships.open_offer(unit) is None
        with pytest.raises(NotFound):
            ownerships.refuse_ownership(unit)


def test_only_an_owner_offers(tenant: Made) -> None:
    """An admin offers nothing; one offer is open at a time; an owner needs none."""
    admin, second = make_member(tenant, Role.ADMIN), make_member(tenant, Role.OWNER)
    with pytest.raises(PermissionDenied):
        offer(tenant, admin, by=admin)
    with pytest.raises(Conflict, match="owner already"):
        offer(tenant, second)
    offer(tenant, admin)
    with pytest.raises(Conflict, match="Another offer"):
        offer(tenant, admin, by=second)


@pytest.mark.parametrize("way", ["withdrawn", "refused", "expired", "void: demoted", "void: left"])
def test_an_offer_that_ended_is_accepted_by_nobody(tenant: Made, postgres_server: Database, way: str) -> None:
    """Withdrawn, refused, expired, or made by somebody who is no owner any more: nothing changes."""
    taker, second = make_member(tenant, Role.ADMIN), make_member(tenant, Role.OWNER)
    made_offer = offer(tenant, taker)
    if way == "expired":
        with psycopg.connect(postgres_server.superuser) as outside:
            outside.execute("UPDATE account.ownership_offers SET expires_at = now() WHERE id = %s", [made_offer.id])
    elif way.startswith("void"):
        change(tenant, second, tenant, Role.ADMIN) if way.endswith("demoted") else end(tenant, tenant, tenant)
    else:
        verb = ownerships.withdraw_offer if way == "withdrawn" else ownerships.refuse_ownership
        with tenant.unit(Home.ACCOUNT, (second if way == "withdrawn" else taker).actor) as unit:
            verb(unit)
            unit.commit()
    with pytest.raises(NotFound):
        accept(tenant, taker)
    assert roles(tenant)[taker.email] == "admin"
    offer(tenant, taker, by=second)


def test_an_accepted_offer_is_used_up(tenant: Made) -> None:
    """A second click finds nothing, and the former owner offers nothing more."""
    taker = make_member(tenant, Role.ADMIN)
    offer(tenant, taker)
    accept(tenant, taker)
    with pytest.raises(NotFound):
        accept(tenant, taker)
    with pytest.raises(PermissionDenied):
        offer(tenant, taker, by=tenant)


def test_another_tenants_offer_is_nobodys_here(tenant: Made, units: Units, tenants: object) -> None:
    """A person in two tenants accepts in the one that it was offered in."""
    other = tenants()  # type: ignore[operator]
    taker = make_member(tenant, Role.ADMIN)
    offer(tenant, taker)
    with other.unit(Home.ACCOUNT, taker.actor) as unit, pytest.raises(NotFound):
        ownerships.accept_ownership(unit)
    assert roles(other) == {other.email: "owner"}
