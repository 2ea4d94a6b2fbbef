"""Memberships: roles change within what the actor has, the last owner stays, and an end is an end everywhere."""

import threading
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from app.core.errors import NotFound, PermissionDenied, Unauthenticated
from app.core.permissions import GRANTS, Permission, Role
from app.core.settings import settings
from app.db.units import Home, Units
from app.models.accounts import ApiKey
from app.services import accounts, entrances, memberships
from app.services.memberships import AlreadyMember, LastOwner
from app.tenancy.actors import ActorKind, system_actor
from tests.peers.members import change, end, make_member, make_person, roles, trail, user_of
from tests.peers.programs import issue
from tests.peers.tenants import ORIGIN, Made
from tests.plugins.servers import Database


def visits(units: Units, made: Made) -> bool:
    """Whether the person's session still leads into the tenant."""
    with units.identify() as door:
        token = accounts.sign_in(door, made.email, made.password, origin=ORIGIN).token
        found = entrances.by_session(door, token, made.slug)
        return found is not None and found.tenant is not None


def test_members_are_listed_and_found(tenant: Made) -> None:
    """The newest member first; a search looks into name and address, and takes % for itself."""
    member = make_member(tenant, Role.VIEWER, "Nadia Nowak")
    with tenant.unit(Home.ACCOUNT) as unit:
        page = memberships.list_members(unit)
        assert [row.email for row in page.rows] == [member.email, tenant.email] and page.count == 2
        assert [row.name for row in memberships.list_members(unit, search="nowak").rows] == ["Nadia Nowak"]
        assert memberships.list_members(unit, search="%").rows == []
        assert [row.email for row in memberships.list_members(unit, role=Role.OWNER).rows] == [tenant.email]
        first = memberships.list_members(unit, size=1)
        assert memberships.list_members(unit, size=1, cursor=first.next_cursor).rows[0].email == tenant.email


def test_a_role_changes_with_its_audit_row(tenant: Made) -> None:
    """Role before and after stand in the log; the same role again changes and records nothing."""
    member = make_member(tenant, Role.OPERATOR)
    change(tenant, tenant, member, Role.AUDITOR)
    change(tenant, tenant, member, Role.AUDITOR)
    assert roles(tenant)[member.email] == "auditor"
    changes = [row for row in trail(tenant) if row[0] == "membership.change"]
    kept = {"email": member.email}
    assert changes == [("membership.change", {**kept, "role": "operator"}, {**kept, "role": "auditor"})]


def test_nobody_gives_a_role_above_their_own(tenant: Made) -> None:
    """An admin gives every role but owner; whoever manages people by an extra gives no more than they have."""
    admin, member = make_member(tenant, Role.ADMIN), make_member(tenant, Role.VIEWER)
    for role in (Role.ADMIN, Role.AUDITOR, Role.VIEWER):
        change(tenant, admin, member, role)
    with pytest.raises(PermissionDenied):
        change(tenant, admin, member, Role.OWNER)
    clerk = make_member(tenant, Role.OPERATOR)
    clerk = replace(clerk, actor=replace(clerk.actor, permissions=clerk.actor.permissions | {Permission.PEOPLE_WRITE}))
    change(tenant, clerk, member, Role.OPERATOR)
    for role in (Role.ADMIN, Role.AUDITOR):
        with pytest.raises(PermissionDenied, match="lack"):
            change(tenant, clerk, member, role)
    viewer = make_member(tenant, Role.VIEWER)
    with pytest.raises(PermissionDenied):
        change(tenant, viewer, member, Role.VIEWER)


def test_nobody_touches_whoever_may_do_more(tenant: Made) -> None:
    """An admin neither demotes nor removes an owner, and a clerk no admin: who may do less is refused."""
    admin = make_member(tenant, Role.ADMIN)
    for act in (lambda: change(tenant, admin, tenant, Role.VIEWER), lambda: end(tenant, admin, tenant)):
        with pytest.raises(PermissionDenied):
            act()
    clerk = make_member(tenant, Role.OPERATOR)
    clerk = replace(clerk, actor=replace(clerk.actor, permissions=clerk.actor.permissions | {Permission.PEOPLE_WRITE}))
    with pytest.raises(PermissionDenied):
        end(tenant, clerk, admin)
    assert roles(tenant) == {tenant.email: "owner", admin.email: "admin", clerk.email: "operator"}


def test_ownership_is_not_given_by_changing_a_role(tenant: Made) -> None:
    """Not even an owner makes somebody an owner without their consent."""
    with pytest.raises(PermissionDenied, match="offer"):
        change(tenant, tenant, make_member(tenant, Role.ADMIN), Role.OWNER)


@pytest.mark.parametrize("path", ["demotion", "removal", "leaving", "by a provider"])
def test_the_last_owner_survives(tenant: Made, path: str) -> None:
    """Neither demotion nor removal nor leaving nor a provider takes the last owner from a tenant."""
    platform = replace(tenant, actor=system_actor("scim"))
    acts: dict[str, Callable[[], object]] = {
        "demotion": lambda: change(tenant, tenant, tenant, Role.ADMIN),
        "removal": lambda: end(tenant, platform, tenant),
        "leaving": lambda: end(tenant, tenant, tenant),
        "by a provider": lambda: change(tenant, platform, tenant, Role.VIEWER),
    }
    with pytest.raises(LastOwner):
        acts[path]()
    assert roles(tenant) == {tenant.email: "owner"}


def test_one_of_two_owners_may_go(tenant: Made) -> None:
    """With a second owner the first may leave; then the second is the last."""
    second = make_member(tenant, Role.OWNER)
    end(tenant, tenant, tenant)
    with pytest.raises(LastOwner):
        end(tenant, second, second)


@pytest.mark.parametrize("attempt", range(3))
def test_two_owners_who_demote_each_other_do_not_both_succeed(tenant: Made, attempt: int) -> None:
    """Two requests at the same moment: one is done, the other is refused, an owner is left."""
    second = make_member(tenant, Role.OWNER)
    together, outcomes = threading.Barrier(2), []

    def demote(by: Made, whom: Made) -> None:
        with tenant.unit(Home.ACCOUNT, by.actor) as unit:
            memberships.find_member(unit, user_of(whom))  # as a page would have
            together.wait(60)
            try:
                memberships.change_role(unit, user_of(whom), Role.ADMIN)
                unit.commit()
                outcomes.append("done")
            except (LastOwner, PermissionDenied) as error:
                outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=demote, args=pair) for pair in ((tenant, second), (second, tenant))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 2 and outcomes.count("done") == 1, outcomes
    assert sorted(roles(tenant).values()) == ["admin", "owner"]


def test_the_database_itself_keeps_an_owner(tenant: Made, postgres_server: Database) -> None:
    """A statement past the services that would take the last owner fails at its commit; two at once as well."""
    for statement in (
        "UPDATE account.memberships SET role = 'viewer' WHERE tenant_id = %s",
        "DELETE FROM account.memberships WHERE tenant_id = %s",
    ):
        with psycopg.connect(postgres_server.superuser) as outside:
            outside.execute(statement, [tenant.id])
            with pytest.raises(psycopg.errors.CheckViolation, match="keeps an owner"):
                outside.commit()
    second = make_member(tenant, Role.OWNER)
    statement = "UPDATE account.memberships SET role = 'viewer' WHERE user_id = %s"
    with psycopg.connect(postgres_server.superuser) as one, psycopg.connect(postgres_server.superuser) as two:
        one.execute(statement, [tenant.actor.id])
        two.execute(statement, [second.actor.id])
        one.commit()
        with pytest.raises(psycopg.errors.CheckViolation):
            two.commit()


def test_an_end_takes_keys_and_pages_at_the_next_request(tenant: Made, units: Units) -> None:
    """API key outliving its removed maker: it is refused and revoked with an audit row; no session leads in."""
    admin = make_member(tenant, Role.ADMIN)
    key_id, secret = issue(replace(tenant, actor=admin.actor), "tenant:scans:read")
    assert visits(units, admin)
    ending = end(tenant, tenant, admin)
    assert ending.keys == ("tests",)
    assert not visits(units, admin)
    with units.identify() as door, pytest.raises(Unauthenticated):
        entrances.by_key(door, entrances.find_key(door, secret, peppers=settings().peppers, origin=ORIGIN))
    with tenant.unit(Home.ACCOUNT) as unit:
        key = unit.session.get_one(ApiKey, (tenant.id, key_id))
        assert key.revoked_at is not None and key.maker_label == admin.email
    actions = [action for action, _before, _after in trail(tenant)]
    assert actions[-2:] == ["api_key.revoke", "membership.end"]
    assert trail(tenant)[-1][1:] == (
        {"email": admin.email, "role": "admin", "extras": []},
        {"reason": "left the company"},
    )


def test_an_old_key_does_not_come_back_with_its_maker(tenant: Made, units: Units) -> None:
    """Whoever is added again has no key of before."""
    admin = make_member(tenant, Role.ADMIN)
    _key, secret = issue(replace(tenant, actor=admin.actor), "tenant:scans:read")
    end(tenant, tenant, admin)
    with tenant.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, user_of(admin), admin.email, "Again", Role.ADMIN, source="sso")
        unit.commit()
    with units.identify() as door, pytest.raises(Unauthenticated, match="revoked"):
        entrances.by_key(door, entrances.find_key(door, secret, peppers=settings().peppers, origin=ORIGIN))


def test_an_end_here_leaves_other_tenants_alone(tenant: Made, tenants: Callable[[], Made], units: Units) -> None:
    """Role lookup not filtered by tenant: what changes in one tenant leaves the person's role in another as it was."""
    other, member = tenants(), make_member(tenant, Role.ADMIN)
    with other.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, user_of(member), member.email, "Mira", Role.VIEWER, source="sso")
        unit.commit()
    change(tenant, tenant, member, Role.OPERATOR)
    assert roles(other)[member.email] == "viewer"
    end(tenant, tenant, member)
    assert roles(other)[member.email] == "viewer"
    assert visits(units, replace(member, slug=other.slug)) and not visits(units, member)


def test_another_tenants_member_is_not_found(tenant: Made, tenants: Callable[[], Made]) -> None:
    """Role update touching other tenants: the id of a person of another tenant is nobody here, for any verb."""
    stranger = make_member(tenants(), Role.VIEWER)
    for act in (lambda: change(tenant, tenant, stranger, Role.ADMIN), lambda: end(tenant, tenant, stranger)):
        with pytest.raises(NotFound):
            act()


def test_a_member_is_added_once(tenant: Made) -> None:
    """A second time is refused; a provider makes nobody an owner."""
    person = make_person(tenant)
    with tenant.unit(Home.ACCOUNT, system_actor("sso")) as unit:
        add = lambda role: memberships.add_member(unit, user_of(person), person.email, "P", role, source="sso")  # noqa: E731
        with pytest.raises(PermissionDenied):
            add(Role.OWNER)
        add(Role.VIEWER)
        with pytest.raises(AlreadyMember):
            add(Role.VIEWER)
        unit.commit()
    assert trail(tenant)[-1] == ("membership.add", None, {"email": person.email, "role": "viewer", "source": "sso"})


def test_a_key_manages_none_but_operators_and_viewers(tenant: Made) -> None:
    """A key with the scope gives the roles whose scopes it holds, and never one that could make keys."""
    scopes = frozenset(str(p) for p in GRANTS[Role.OPERATOR]) | {Permission.PEOPLE_READ, Permission.PEOPLE_WRITE}
    program = replace(tenant, actor=replace(tenant.actor, kind=ActorKind.KEY, permissions=scopes))
    narrow = replace(program, actor=replace(program.actor, permissions=frozenset({Permission.PEOPLE_WRITE})))
    member, admin = make_member(tenant, Role.VIEWER), make_member(tenant, Role.ADMIN)
    change(tenant, program, member, Role.OPERATOR)
    for role in (Role.ADMIN, Role.AUDITOR, Role.OWNER):
        with pytest.raises(PermissionDenied):
            change(tenant, program, member, role)
    for by, whom in ((program, admin), (program, tenant), (narrow, member)):
        with pytest.raises(PermissionDenied):
            end(tenant, by, whom)
