"""Groups by SCIM: members, and the roles that groups give."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from app.core.errors import Invalid, PermissionDenied
from app.core.permissions import Role, permissions_of
from app.db.units import Home
from app.services import provisioned_groups
from tests.peers.directories import Directory
from tests.peers.members import make_member, member


def map_role(directory: Directory, group: dict[str, Any], role: str | None) -> int:
    """Let a group give a role, as the tenant's owner."""
    with directory.made.unit(Home.ACCOUNT) as unit:
        changed = provisioned_groups.map_role(unit, UUID(group["id"]), role)
        unit.commit()
        return changed


def role_of(directory: Directory, name: str) -> str | None:
    """Return the role of somebody in the tenant."""
    found = member(directory.made, directory.at(name))
    return None if found is None else found.role


def test_the_highest_group_gives_the_role(directory: Directory) -> None:
    """A person has the highest role of their groups at once, and falls back when a group lets go."""
    ada = directory.create("ada")
    staff, admins = directory.group("Staff", ada["id"]), directory.group("Admins")
    assert role_of(directory, "ada") == "viewer"
    assert map_role(directory, staff, "operator") == 1
    map_role(directory, admins, "admin")
    assert role_of(directory, "ada") == "operator"
    add = {"op": "Add", "path": "members", "value": [{"value": ada["id"]}]}
    assert directory.patch(f"/Groups/{admins['id']}", add).status_code == 204
    assert role_of(directory, "ada") == "admin"
    assert directory.patch(f"/Groups/{admins['id']}", {"op": "remove", "path": "members"}).status_code == 204
    assert role_of(directory, "ada") == "operator"
    assert directory.ask("DELETE", f"/Groups/{staff['id']}").status_code == 204
    assert role_of(directory, "ada") == "viewer"


def test_a_group_makes_no_owner_and_unmakes_none(directory: Directory) -> None:
    """No group gives ownership, and an owner in a group stays an owner."""
    told = directory.create_owner()
    group = directory.group("Everybody", told["id"])
    with pytest.raises(Invalid):
        map_role(directory, group, "owner")
    map_role(directory, group, "viewer")
    found = member(directory.made, directory.made.email)
    assert found is not None and found.role == "owner"


def test_nobody_maps_what_they_lack(directory: Directory) -> None:
    """A group gives only a role whose permissions its mapper's own role has, whatever extras they hold."""
    group = UUID(directory.group("Staff")["id"])
    actor = replace(make_member(directory.made, Role.OPERATOR).actor, permissions=permissions_of(Role.ADMIN))
    with directory.made.unit(Home.ACCOUNT, actor) as unit:
        provisioned_groups.map_role(unit, group, "operator")
        with pytest.raises(PermissionDenied):
            provisioned_groups.map_role(unit, group, "admin")


def test_a_role_waits_for_whoever_is_off(directory: Directory) -> None:
    """Somebody who is switched off gets the role of their groups when they are on again."""
    ada = directory.create("ada", active=False)
    group = directory.group("Staff", ada["id"])
    map_role(directory, group, "operator")
    assert role_of(directory, "ada") is None
    directory.patch(f"/Users/{ada['id']}", {"op": "Replace", "path": "active", "value": "True"})
    assert role_of(directory, "ada") == "operator"


REMOVALS: dict[str, Any] = {
    "by a filter": lambda one: {"op": "Remove", "path": f'members[value eq "{one}"]'},
    "by a value, as Entra does": lambda one: {"op": "Remove", "path": "members", "value": [{"value": one}]},
}


@pytest.mark.parametrize("shape", REMOVALS)
def test_a_removal_removes_whom_it_names(shape: str, directory: Directory) -> None:
    """Removing one member leaves the others, in either shape."""
    people = [directory.create(name)["id"] for name in ("ada", "bob", "cyd")]
    group = directory.group("Staff", *people)
    assert directory.patch(f"/Groups/{group['id']}", REMOVALS[shape](people[0])).status_code == 204
    now = directory.ask("GET", f"/Groups/{group['id']}").json
    assert {one["value"] for one in now["members"]} == set(people[1:])
    assert directory.ask("GET", f"/Users/{people[1]}").json["groups"][0]["display"] == "Staff"


def test_okta_renames_a_group_without_a_path(directory: Directory) -> None:
    """A replace without a path changes what it names and keeps the members."""
    ada = directory.create("ada")
    group = directory.group("Staff", ada["id"])
    value = {"id": group["id"], "displayName": "Crew"}
    answer = directory.patch(f"/Groups/{group['id']}?attributes=displayName", {"op": "replace", "value": value})
    assert answer.status_code == 200 and answer.json["displayName"] == "Crew"
    assert len(directory.ask("GET", f"/Groups/{group['id']}").json["members"]) == 1


def test_a_member_must_be_a_user_here(directory: Directory) -> None:
    """Whoever is no user of the tenant, or no id at all, is refused as a member."""
    for value in ("01900000-0000-7000-8000-000000000000", "ada", ""):
        told = {"displayName": "Staff", "members": [{"value": value}]}
        answer = directory.ask("POST", "/Groups", told)
        assert answer.status_code == 400 and answer.json["scimType"] == "invalidValue", answer.text
    assert directory.ask("GET", "/Groups").json["totalResults"] == 0


def test_members_can_be_left_out(directory: Directory) -> None:
    """A list without members, as Entra asks for, has none; a group's name is unique."""
    ada = directory.create("ada")
    directory.group("Staff", ada["id"])
    found = directory.ask("GET", '/Groups?excludedAttributes=members&filter=displayName eq "staff"').json
    assert found["totalResults"] == 1 and "members" not in found["Resources"][0]
    again = directory.ask("POST", "/Groups", {"displayName": "Staff"})
    assert again.status_code == 409 and again.json["scimType"] == "uniqueness"
