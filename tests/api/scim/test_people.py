"""Users by SCIM: what comes of them in the tenant, in the shapes that identity providers send."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from app.core.errors import PermissionDenied
from app.core.permissions import Role
from app.core.settings import settings
from app.db.units import Home, Units
from app.models.accounts import AccountAuditEvent
from app.services import accounts, api_keys, memberships, provisioned_people
from app.services.accounts import Origin
from tests.peers.directories import ENTERPRISE, MEDIA, Directory
from tests.peers.members import member
from tests.peers.tenants import Made, make_tenant
from tests.peers.visitors import Person


def trail(made: Made) -> list[tuple[str, str]]:
    """Return the account's log, oldest first: kind of actor and action."""
    with made.unit(Home.ACCOUNT) as unit:
        rows = unit.session.scalars(select(AccountAuditEvent).order_by(AccountAuditEvent.at, AccountAuditEvent.id))
        return [(row.actor_kind, row.action) for row in rows]


def test_a_user_becomes_a_viewer(directory: Directory) -> None:
    """A user who is created is a member in the least role, and is told with id, version and address."""
    told = directory.create("ada")
    assert told["active"] is True and told["userName"] == directory.at("ada")
    assert told["meta"]["location"].endswith(f"/scim/v2/Users/{told['id']}")
    assert ENTERPRISE not in told["schemas"]
    found = member(directory.made, directory.at("ada"))
    assert found is not None and (found.role, found.name) == ("viewer", "Ada")
    assert ("scim", "provisioned_person.create") in trail(directory.made)
    assert ("scim", "membership.add") in trail(directory.made)
    answer = directory.ask("GET", f"/Users/{told['id']}")
    assert answer.mimetype == MEDIA and answer.json == told and answer.headers["ETag"] == told["meta"]["version"]


def test_nobody_outside_the_domains(directory: Directory) -> None:
    """An address outside of the tenant's proven domains is refused, in creation and in change."""
    body = directory.user("eve", emails=[{"value": "eve@elsewhere.example.com", "primary": True}])
    answer = directory.ask("POST", "/Users", body)
    assert answer.status_code == 400 and answer.json["scimType"] == "invalidValue"
    assert "elsewhere" in answer.json["detail"]
    told = directory.create("ada")
    moved = directory.patch(
        f"/Users/{told['id']}",
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "ada@elsewhere.example.com"},
    )
    assert moved.status_code == 400
    assert directory.ask("GET", f"/Users/{told['id']}").json == told


SWITCHES: dict[str, list[dict[str, Any]]] = {
    "Entra": [{"op": "Replace", "path": "active", "value": "False"}],
    "Entra, as a boolean": [{"op": "Replace", "path": "active", "value": False}],
    "Okta": [{"op": "replace", "value": {"active": False}}],
    "with other values": [{"op": "Replace", "value": {"active": "False", "name.givenName": "Adele"}}],
    "with attributes that are not kept": [
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Gone"},
        {"op": "Replace", "path": "active", "value": "False"},
    ],
}


@pytest.mark.parametrize("shape", SWITCHES)
def test_deactivation_ends_sessions_and_keys(shape: str, directory: Directory, app: Flask, base_url: str) -> None:
    """In whatever shape: a user who is off has no page and no key at the next request; on again, their role is back."""
    made = directory.made
    told = directory.create("ada")
    person = signed_in(app, base_url, directory, "ada", told)
    secret = key_of(directory, "ada")
    assert person.get(person.at("/scans")).status_code == 200
    assert directory.client.get("/api/v1/scans", headers={"X-API-Key": secret}, base_url=base_url).status_code == 200
    answer = directory.patch(f"/Users/{told['id']}", *SWITCHES[shape])
    assert answer.status_code == 200 and answer.json["active"] is False, answer.text
    assert person.get(person.at("/scans")).status_code == 404
    assert directory.client.get("/api/v1/scans", headers={"X-API-Key": secret}, base_url=base_url).status_code == 401
    assert member(made, directory.at("ada")) is None
    assert directory.ask("GET", f"/Users/{told['id']}").json["active"] is False
    on = directory.patch(f"/Users/{told['id']}", {"op": "Replace", "path": "active", "value": "True"})
    assert on.status_code == 200 and on.json["active"] is True
    back = member(made, directory.at("ada"))
    assert back is not None and back.role == "operator"
    assert directory.client.get("/api/v1/scans", headers={"X-API-Key": secret}, base_url=base_url).status_code == 401


def signed_in(app: Flask, base_url: str, directory: Directory, name: str, told: dict[str, Any]) -> Person:
    """Give the person a session, as their own provider's sign-in would, and the role of an operator."""
    made = directory.made
    found = member(made, directory.at(name))
    assert found is not None
    with made.unit(Home.ACCOUNT) as unit:
        memberships.change_role(unit, found.user_id, Role.OPERATOR)
        unit.commit()
    with made.units.identify() as door:
        token = accounts.open_session_for(door, found.user_id, Origin("192.0.2.9", "tests", "r"), methods=("sso",))
        door.commit()
    person = Person(app, base_url)
    person.slug = made.slug
    with person.client.session_transaction(base_url=base_url) as session:
        session["_user_id"], session["_fresh"] = token, True
    return person


def key_of(directory: Directory, name: str) -> str:
    """Issue a key that this person made."""
    found = member(directory.made, directory.at(name))
    assert found is not None
    with directory.made.unit(Home.ACCOUNT) as unit:
        issued = api_keys.issue_key(
            unit,
            name="theirs",
            scopes=["tenant:scans:read"],
            pepper=settings().peppers[0],
        )
        issued.key.maker_id = found.user_id
        unit.commit()
        return issued.secret


def test_a_deleted_user_is_gone(directory: Directory) -> None:
    """A deleted user is 404 and no member; created again, they are another user of the same account."""
    told = directory.create("ada")
    assert directory.ask("DELETE", f"/Users/{told['id']}").status_code == 204
    gone = directory.ask("GET", f"/Users/{told['id']}")
    assert gone.status_code == 404 and gone.json["status"] == "404"
    assert member(directory.made, directory.at("ada")) is None
    again = directory.create("ada")
    assert again["id"] != told["id"] and member(directory.made, directory.at("ada")) is not None


def test_the_last_owner_stays(directory: Directory) -> None:
    """The last owner is neither switched off nor deleted: 409 says why, and nothing changes."""
    told = directory.create_owner()
    for answer in (
        directory.patch(f"/Users/{told['id']}", {"op": "Replace", "path": "active", "value": "False"}),
        directory.ask("PUT", f"/Users/{told['id']}", {**told, "active": False}),
        directory.ask("DELETE", f"/Users/{told['id']}"),
        directory.ask("POST", "/Groups", {"displayName": "g", "members": [{"value": told["id"]}]}),
    ):
        if answer.status_code != 201:
            assert answer.status_code == 409 and "owner" in answer.json["detail"], answer.text
    found = member(directory.made, directory.made.email)
    assert found is not None and found.role == "owner"
    assert directory.ask("GET", f"/Users/{told['id']}").json["active"] is True


def test_an_owner_comes_back_as_an_administrator(directory: Directory) -> None:
    """An identity provider can switch one of two owners off, but makes nobody an owner again."""
    told = directory.create_owner()
    directory.create("second")
    second = member(directory.made, directory.at("second"))
    assert second is not None
    with directory.made.unit(Home.ACCOUNT) as unit:
        memberships.put_role(unit, memberships.find_member(unit, second.user_id), Role.OWNER)  # type: ignore[arg-type]
        unit.commit()
    for active in ("False", "True"):
        answer = directory.patch(f"/Users/{told['id']}", {"op": "Replace", "path": "active", "value": active})
        assert answer.status_code == 200, answer.text
    found = member(directory.made, directory.made.email)
    assert found is not None and found.role == "admin"


def test_conflicts_name_what_is_taken(directory: Directory) -> None:
    """A user name that is taken is 409 with SCIM's word for it, in any case of letters."""
    directory.create("ada")
    answer = directory.ask("POST", "/Users", directory.user("ada", userName=directory.at("ADA")))
    assert answer.status_code == 409 and answer.json["scimType"] == "uniqueness"


def test_an_account_of_elsewhere_is_joined_and_left_alone(
    directory: Directory, units: Units, outside: psycopg.Connection[Any]
) -> None:
    """A person who has an account becomes a member here; their name, address and password stay as they are."""
    other = make_tenant(units, domain=directory.domain, verified=True)
    query = "SELECT name, email, password_hash FROM auth.users WHERE email = %s"
    before = outside.execute(query, [other.email]).fetchone()
    told = directory.create(
        "ada", displayName="Somebody Else", emails=[{"value": other.email, "primary": True}], password="Secret-1-Secret"
    )
    directory.ask("PUT", f"/Users/{told['id']}", {**told, "displayName": "Else", "password": "Secret-2-Secret"})
    found = member(directory.made, other.email)
    assert found is not None and found.name == "Else"
    outside.rollback()
    assert outside.execute(query, [other.email]).fetchone() == before
    there = member(other, other.email)
    assert there is not None and (there.role, there.name) == ("owner", "Olive Owner")
    directory.ask("DELETE", f"/Users/{told['id']}")
    assert member(other, other.email) is not None


def test_an_account_that_nobody_confirmed_is_not_joined(directory: Directory, units: Units) -> None:
    """Who signed up with somebody else's address does not come in when that address is provisioned."""
    squatter = make_tenant(units, domain=directory.domain, verified=False)
    body = directory.user("ada", userName=squatter.email, emails=[{"value": squatter.email, "primary": True}])
    answer = directory.ask("POST", "/Users", body)
    assert answer.status_code == 409 and "confirmed" in answer.json["detail"]
    assert member(directory.made, squatter.email) is None


def test_somebody_removed_by_hand_is_not_active(directory: Directory) -> None:
    """A member whom an administrator removes is told as not active, and comes back when the directory says so."""
    told = directory.create("ada")
    found = member(directory.made, directory.at("ada"))
    assert found is not None
    with directory.made.unit(Home.ACCOUNT) as unit:
        memberships.end_membership(unit, found.user_id, reason="left")
        unit.commit()
    now = directory.ask("GET", f"/Users/{told['id']}")
    assert now.json["active"] is False and now.headers["ETag"] != told["meta"]["version"]
    assert directory.ask("GET", "/Users?filter=active eq true").json["totalResults"] == 0
    answer = directory.patch(f"/Users/{told['id']}", {"op": "replace", "value": {"active": True}})
    assert answer.json["active"] is True and member(directory.made, directory.at("ada")) is not None


def test_somebody_switched_off_comes_in_no_other_way(directory: Directory) -> None:
    """Who was switched off by the directory is not made a member by single sign-on or an invitation meanwhile."""
    told = directory.create("ada", active=False)
    assert told["active"] is False and member(directory.made, directory.at("ada")) is None
    with directory.made.unit(Home.ACCOUNT) as unit:
        person = provisioned_people.get(unit, UUID(told["id"]))
        for source in ("sso", "invitation"):
            with pytest.raises(PermissionDenied):
                memberships.add_member(unit, person.user_id, person.address, "Ada", Role.VIEWER, source=source)


def test_a_change_for_another_version_is_refused(directory: Directory) -> None:
    """If-Match with an older version is 412 and changes nothing; If-None-Match with the present one is 304."""
    told = directory.create("ada")
    headers = {"Authorization": f"Bearer {directory.secret}"}
    path = f"/Users/{told['id']}"
    assert directory.patch(path, {"op": "replace", "path": "displayName", "value": "B"}).status_code == 200
    old = {**headers, "If-Match": told["meta"]["version"]}
    answer = directory.ask("PUT", path, {**told, "displayName": "C"}, headers=old)
    assert answer.status_code == 412 and answer.mimetype == MEDIA
    now = directory.ask("GET", path)
    assert now.json["displayName"] == "B"
    fresh = {**headers, "If-None-Match": now.headers["ETag"]}
    assert directory.ask("GET", path, headers=fresh).status_code == 304


BAD: dict[str, Any] = {
    "no user name": {"userName": None},
    "no address": {"userName": "ada", "emails": []},
    "control characters": {"displayName": "a\r\nb"},
    "NUL": {"externalId": "a\u0000b"},
    "a lone surrogate": {"displayName": "\ud800"},
    "too long": {"displayName": "a" * 300},
    "a list for a text": {"displayName": ["a"]},
    "a text for a list": {"emails": "a@b"},
}


@pytest.mark.parametrize("what", BAD)
def test_what_will_not_do_is_400(what: str, directory: Directory) -> None:
    """A body that cannot be kept is answered 400 in SCIM's form, never by a failure."""
    answer = directory.ask("POST", "/Users", directory.user("ada", **BAD[what]))
    assert answer.status_code == 400, answer.text
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


def test_operations_are_all_done_or_none(directory: Directory) -> None:
    """A request with one operation that fails changes nothing."""
    told = directory.create("ada")
    answer = directory.patch(
        f"/Users/{told['id']}",
        {"op": "replace", "path": "displayName", "value": "B"},
        {"op": "replace", "path": "id", "value": "other"},
    )
    assert answer.status_code == 400
    assert directory.ask("GET", f"/Users/{told['id']}").json == told
