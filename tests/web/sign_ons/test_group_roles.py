"""Whose word a role is where SCIM, claims and people each have one: a group's, whatever comes first or last."""

from uuid import UUID

import pytest

from app.core.permissions import Role
from app.db.units import Home
from app.services import explanations, memberships, provisioned_groups, provisioned_people, role_maps
from app.services.memberships import GivenByGroup
from app.services.provisioned_groups import DescribedGroup
from app.services.provisioned_people import Described, Email
from tests.peers.companies import Company

CLAIMS = [("admins", "admin"), ("ops", "operator")]


@pytest.fixture
def mapped(company: Company) -> Company:
    """A company whose sign-in maps the claim `groups` to roles; whoever fits none is a viewer."""
    with company.made.unit(Home.ACCOUNT) as unit:
        role_maps.save_roles(unit, claim="groups", pairs=CLAIMS, default="viewer")
        unit.commit()
    return company


def provision(company: Company, *, active: bool = True) -> UUID:
    """Have the directory send Ada, or send her again."""
    address = f"ada@{company.domain}"
    described = Described(address, active=active, emails=(Email(address),))
    with company.made.unit(Home.ACCOUNT) as unit:
        known = provisioned_people.list_people(unit)[0]
        if known:
            provisioned_people.change(unit, known[0], described)
        person = known[0] if known else provisioned_people.provision(unit, described)
        unit.commit()
        return person.id


def group(company: Company, role: str | None, *members: UUID, name: str = "Staff") -> UUID:
    """Have the directory send a group, which gives a role or none."""
    with company.made.unit(Home.ACCOUNT) as unit:
        made = provisioned_groups.create(unit, DescribedGroup(name, members=frozenset(members)))
        provisioned_groups.map_role(unit, made.id, role)
        unit.commit()
        return made.id


def give(company: Company, group_id: UUID, role: str | None) -> None:
    with company.made.unit(Home.ACCOUNT) as unit:
        provisioned_groups.map_role(unit, group_id, role)
        unit.commit()


def user_id(company: Company) -> UUID:
    return next(row.user_id for row in company.members() if row.email == f"ada@{company.domain}")


def change(company: Company, role: Role) -> None:
    with company.made.unit(Home.ACCOUNT) as unit:
        memberships.change_role(unit, user_id(company), role)
        unit.commit()


def test_a_group_before_a_claim(mapped: Company) -> None:
    """Provisioned with a group's role, then signed in with another claim: the group's, until it gives none."""
    staff = group(mapped, "auditor", provision(mapped))
    assert mapped.arrive(groups=["admins"])[1].status_code == 303
    assert mapped.role_of("ada") == "auditor"
    give(mapped, staff, None)
    assert mapped.role_of("ada") == "viewer"
    mapped.arrive(groups=["admins"])
    assert mapped.role_of("ada") == "admin"


def test_a_claim_before_a_group(mapped: Company) -> None:
    """Signed in first: what a claim gave is the role without a group, and comes back once no group gives one."""
    mapped.arrive(groups=["ops"])
    person = provision(mapped)
    assert mapped.role_of("ada") == "operator"
    staff = group(mapped, "auditor", person)
    mapped.arrive(groups=["admins"])
    assert mapped.role_of("ada") == "auditor"
    give(mapped, staff, None)
    assert mapped.role_of("ada") == "operator"


def test_a_directory_that_gives_no_role_leaves_the_claims(mapped: Company) -> None:
    """Whom no group gives a role has what the last claim said, whatever the directory sends afterwards."""
    person = provision(mapped)
    mapped.arrive(groups=["ops"])
    group(mapped, None, person)
    provision(mapped)
    assert mapped.role_of("ada") == "operator"
    provision(mapped, active=False)
    provision(mapped)
    assert mapped.role_of("ada") == "operator"


def test_who_was_removed_comes_back_with_the_groups_role(mapped: Company) -> None:
    """Removed here by hand, and in again by a sign-in with another claim: what the group gives."""
    group(mapped, "auditor", provision(mapped))
    mapped.arrive()
    with mapped.made.unit(Home.ACCOUNT) as unit:
        memberships.end_membership(unit, user_id(mapped), reason="tests")
        unit.commit()
    mapped.arrive(groups=["admins"])
    assert mapped.role_of("ada") == "auditor"


def test_nobody_changes_by_hand_what_a_group_gives(mapped: Company) -> None:
    """A change by hand is refused while a group gives the role; without one it stays, whatever the directory sends."""
    ada = provision(mapped)
    change(mapped, Role.OPERATOR)
    group(mapped, None, ada, name="Everybody")
    assert mapped.role_of("ada") == "operator"
    staff = group(mapped, "auditor", ada)
    with pytest.raises(GivenByGroup, match="The group Staff of your identity provider gives the role auditor"):
        change(mapped, Role.ADMIN)
    give(mapped, staff, None)
    assert mapped.role_of("ada") == "operator"
    change(mapped, Role.ADMIN)
    assert mapped.role_of("ada") == "admin"


def test_the_source_of_a_role_is_named(mapped: Company) -> None:
    """The explanation names the group, else the claim; of an owner neither."""
    ada = provision(mapped)
    with mapped.made.unit(Home.ACCOUNT) as unit:
        source = explanations.source_of(unit, user_id(mapped))
        assert source is not None and (source.group, source.claim) == (None, "groups")
    group(mapped, "auditor", ada)
    with mapped.made.unit(Home.ACCOUNT) as unit:
        source = explanations.source_of(unit, user_id(mapped))
        assert source is not None and (source.group, source.claim) == ("Staff", None)
        assert mapped.made.actor.id is not None and explanations.source_of(unit, mapped.made.actor.id) is None
