"""Service accounts: what bounds their keys, what ends them, and that they outlive people."""

from dataclasses import replace
from uuid import UUID

import pytest

from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from app.core.ids import new_id
from app.core.permissions import Role
from app.core.settings import settings
from app.db.units import Home, Units
from app.services import api_keys, audit, entrances, memberships, service_accounts
from app.tenancy.actors import Actor, ActorKind
from tests.peers.programs import issue, make_account, opens
from tests.peers.tenants import ORIGIN, Made, make_tenant

READ, WRITE = "tenant:scans:read", "tenant:scans:write"


def entered(units: Units, secret: str) -> Actor:
    """Return the actor that a secret lets in."""
    with units.identify() as door:
        found = entrances.find_key(door, secret, peppers=settings().peppers, origin=ORIGIN)
        return entrances.by_key(door, found).actor


def second_member(made: Made, role: Role = Role.ADMIN) -> Actor:
    """Give the tenant another member; return it as an actor."""
    user_id, email = new_id(), f"{new_id().hex}@example.com"
    with made.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, user_id, email, "Second", role, source="scim")
        unit.commit()
    return Actor(ActorKind.USER, user_id, email, entrances.granted(role, ()))


def test_a_key_of_a_service_account_outlives_its_maker(units: Units) -> None:
    """Whoever made the key leaves: the account's key works on, their own one ends."""
    made = make_tenant(units)
    maker = second_member(made)
    theirs = replace(made, actor=maker)
    account_id = make_account(theirs, READ)
    _key, kept = issue(theirs, READ, account_id=account_id)
    _key, own = issue(theirs, READ)
    assert opens(units, kept) and opens(units, own)
    with made.unit(Home.ACCOUNT) as unit:
        assert maker.id is not None
        ending = memberships.end_membership(unit, maker.id, reason="left")
        unit.commit()
    assert ending.keys == ("tests",)
    assert opens(units, kept) and not opens(units, own)


def test_a_key_of_a_service_account_names_it(units: Units) -> None:
    """What its program does stands in the audit log under the key's name and the account's."""
    made = make_tenant(units)
    account_id = make_account(made, READ)
    _key, secret = issue(made, READ, account_id=account_id)
    with made.unit(Home.ACCOUNT) as unit:
        name = service_accounts.get_account(unit, account_id).name
    assert entered(units, secret).label == f"tests ({name})"


def test_the_accounts_permissions_bound_its_keys(units: Units) -> None:
    """A key gets no scope beyond its account's; what the account loses, its keys lose from the next call on."""
    made = make_tenant(units)
    account_id = make_account(made, READ, WRITE)
    with pytest.raises(Invalid) as refused:
        issue(made, READ, "tenant:findings:read", account_id=account_id)
    assert "tenant:findings:read" in refused.value.fields["scopes"]
    _key, secret = issue(made, READ, WRITE, account_id=account_id)
    assert entered(units, secret).permissions == {READ, WRITE}
    with made.unit(Home.ACCOUNT) as unit:
        service_accounts.change_account(unit, account_id, name="narrower", permissions=[READ])
        unit.commit()
    assert entered(units, secret).permissions == {READ}


def test_the_makers_role_does_not_bound_the_accounts_keys(units: Units) -> None:
    """A maker who becomes a viewer takes nothing from the keys of a service account."""
    made = make_tenant(units)
    maker = second_member(made)
    account_id = make_account(replace(made, actor=maker), WRITE)
    _key, secret = issue(replace(made, actor=maker), WRITE, account_id=account_id)
    with made.unit(Home.ACCOUNT) as unit:
        assert maker.id is not None
        memberships.change_role(unit, maker.id, Role.VIEWER)
        unit.commit()
    assert entered(units, secret).permissions == {WRITE}


def test_disabling_ends_its_keys_at_once_and_enabling_brings_them_back(units: Units) -> None:
    """A disabled account's keys are refused from the next call on, none is issued, and enabling lets them in again."""
    made = make_tenant(units)
    account_id = make_account(made, READ)
    _key, secret = issue(made, READ, account_id=account_id)
    for change, open_after in (
        (service_accounts.disable_account, False),
        (service_accounts.disable_account, False),
        (service_accounts.enable_account, True),
    ):
        with made.unit(Home.ACCOUNT) as unit:
            change(unit, account_id)
            unit.commit()
        assert opens(units, secret) is open_after
        if not open_after:
            with pytest.raises(Conflict, match="disabled"):
                issue(made, READ, account_id=account_id)


def test_deleting_revokes_its_keys_for_good(units: Units) -> None:
    """A deleted account is gone with its keys, each with an audit row; its name is free again."""
    made = make_tenant(units)
    account_id = make_account(made, READ)
    (key_id, secret), (_other, second) = (issue(made, READ, account_id=account_id) for _ in range(2))
    with made.unit(Home.ACCOUNT) as unit:
        name = service_accounts.get_account(unit, account_id).name
        assert service_accounts.delete_account(unit, account_id) == 2
        unit.commit()
    assert not opens(units, secret) and not opens(units, second)
    with made.unit(Home.ACCOUNT) as unit:
        assert api_keys.get_key(unit, key_id).revoked_at is not None
        with pytest.raises(NotFound):
            service_accounts.get_account(unit, account_id)
        assert service_accounts.account_names(unit, [account_id, None]) == {account_id: name}
        service_accounts.create_account(unit, name=name, permissions=[READ])
        unit.commit()
    with made.unit() as unit:
        actions = [event.action for event in audit.list_events(unit).rows]
    assert actions.count("api_key.revoke") == 2 and "service_account.delete" in actions


def test_nobody_gives_an_account_what_they_lack(units: Units) -> None:
    """Making, widening and enabling an account ask for each permission that it gets; narrowing does not."""
    made = make_tenant(units)
    account_id = make_account(made, READ, WRITE)
    less = replace(made.actor, permissions=made.actor.permissions - {WRITE})
    with made.unit(Home.ACCOUNT, less) as unit:
        with pytest.raises(PermissionDenied, match=WRITE):
            service_accounts.create_account(unit, name="more", permissions=[READ, WRITE])
        with pytest.raises(PermissionDenied, match=WRITE):
            service_accounts.enable_account(unit, account_id)
        service_accounts.change_account(unit, account_id, name="same", permissions=[READ, WRITE])
        service_accounts.change_account(unit, account_id, name="same", permissions=[READ])
        with pytest.raises(PermissionDenied, match=WRITE):
            service_accounts.change_account(unit, account_id, name="same", permissions=[READ, WRITE])


def test_a_key_makes_and_changes_no_account(units: Units) -> None:
    """A program, even one with all permissions, neither makes, changes, enables nor deletes a service account."""
    made = make_tenant(units)
    account_id = make_account(made, READ)
    program = replace(made.actor, kind=ActorKind.KEY, id=new_id())
    with made.unit(Home.ACCOUNT, program) as unit:
        for act in (
            lambda: service_accounts.create_account(unit, name="x", permissions=[READ]),
            lambda: service_accounts.change_account(unit, account_id, name="x", permissions=[READ]),
            lambda: service_accounts.disable_account(unit, account_id),
            lambda: service_accounts.enable_account(unit, account_id),
            lambda: service_accounts.delete_account(unit, account_id),
        ):
            with pytest.raises(PermissionDenied):
                act()


@pytest.mark.parametrize(
    ("name", "permissions", "field"),
    [
        ("", [READ], "name"),
        ("x" * 81, [READ], "name"),
        ("a\nb", [READ], "name"),
        ("x", [], "permissions"),
        ("x", ["tenant:ownership:write"], "permissions"),
        ("taken", [READ], "name"),
    ],
)
def test_an_account_that_will_not_do_is_refused(units: Units, name: str, permissions: list[str], field: str) -> None:
    """The refusal names the field: a name that is empty, long or taken, permissions that keys cannot have."""
    made = make_tenant(units)
    with made.unit(Home.ACCOUNT) as unit:
        service_accounts.create_account(unit, name="taken", permissions=[READ])
        with pytest.raises(Invalid) as refused:
            service_accounts.create_account(unit, name=name, permissions=permissions)
    assert set(refused.value.fields) == {field}


def test_another_tenants_account_is_not_found(units: Units) -> None:
    """The real id of another tenant's account changes nothing, and no key is issued for it."""
    made, other = make_tenant(units), make_tenant(units)
    account_id: UUID = make_account(other, READ)
    with made.unit(Home.ACCOUNT) as unit:
        for act in (service_accounts.get_account, service_accounts.disable_account, service_accounts.delete_account):
            with pytest.raises(NotFound):
                act(unit, account_id)
        assert service_accounts.account_names(unit, [account_id]) == {}
    with pytest.raises(NotFound):
        issue(made, READ, account_id=account_id)
