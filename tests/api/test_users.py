"""People by key: list, change, remove, invite; never more than the key's scopes reach."""

import secrets
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app.core.permissions import Role
from app.db.units import Home
from app.models.accounts import Membership
from app.services import memberships
from tests.peers.bearers import Bearer
from tests.peers.members import make_member, user_of
from tests.peers.programs import Program
from tests.peers.tenants import Made

USERS, INVITATIONS = "/api/v1/users", "/api/v1/invitations"


def role_in(made: Made, who: Made) -> str | None:
    with made.unit(Home.ACCOUNT) as unit:
        member: Membership | None = memberships.find_member(unit, user_of(who))
        return None if member is None else member.role


def test_members_are_listed_at_every_address(program: Callable[..., Program]) -> None:
    """The list at our address and at those of the documents; filtered, paged."""
    caller = program("tenant:people:read")
    viewer = make_member(caller.tenant, Role.VIEWER)
    for path in (USERS, "/users", "/orgs/me/users"):
        items = caller.get(path).json["items"]
        assert [item["email"] for item in items] == [viewer.email, caller.tenant.email]
    assert set(items[0]) == {"id", "email", "name", "role", "created_at", "beyond_plan"}
    assert [item["role"] for item in caller.get(f"{USERS}?role=owner").json["items"]] == ["owner"]
    first = caller.get(f"{USERS}?limit=1").json
    assert caller.get(f"{USERS}?limit=1&cursor={first['next_cursor']}").json["items"][0]["role"] == "owner"
    assert caller.get(f"{USERS}/{user_of(viewer)}").json["email"] == viewer.email


def test_a_reader_changes_nothing(program: Callable[..., Program]) -> None:
    """Without tenant:people:write every change is 403."""
    caller = program("tenant:people:read")
    viewer = make_member(caller.tenant, Role.VIEWER)
    path = f"{USERS}/{user_of(viewer)}"
    refused = [
        caller.ask("PATCH", path, json={"role": "operator"}),
        caller.ask("DELETE", path),
        caller.post(INVITATIONS, json={"email": "x@example.com", "role": "viewer"}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 3


def test_a_key_never_makes_owners_admins_or_auditors(program: Callable[..., Program]) -> None:
    """With all scopes a key of the owner gives operator and viewer, and touches nobody beyond them."""
    caller = program()
    member, admin = make_member(caller.tenant, Role.VIEWER), make_member(caller.tenant, Role.ADMIN)
    path = f"{USERS}/{user_of(member)}"
    assert caller.ask("PATCH", path, json={"role": "member"}).json["role"] == "operator"
    for role in ("owner", "admin", "auditor"):
        assert caller.ask("PATCH", path, json={"role": role}).status_code == 403
        body = {"email": f"{secrets.token_hex(4)}@example.com", "role": role}
        assert caller.post(INVITATIONS, json=body).status_code == 403
    for who in (admin, caller.tenant):
        assert caller.ask("DELETE", f"{USERS}/{user_of(who)}").status_code == 403
        assert caller.ask("PATCH", f"{USERS}/{user_of(who)}", json={"role": "viewer"}).status_code == 403
    assert role_in(caller.tenant, admin) == "admin" and role_in(caller.tenant, caller.tenant) == "owner"
    assert caller.ask("PATCH", path, json={"role": "king"}).status_code == 422


def test_a_removed_member_is_gone_and_told(program: Callable[..., Program]) -> None:
    """DELETE answers what ended; a second time there is nobody."""
    caller = program()
    member = make_member(caller.tenant, Role.OPERATOR)
    answer = caller.ask("DELETE", f"/orgs/me/users/{user_of(member)}")
    assert answer.json == {
        "id": str(user_of(member)),
        "email": member.email,
        "keys_revoked": 0,
        "invitations_revoked": 0,
    }
    assert role_in(caller.tenant, member) is None
    assert caller.ask("DELETE", f"{USERS}/{user_of(member)}").status_code == 404


def test_a_change_since_one_read_is_noticed(program: Callable[..., Program]) -> None:
    """If-Match of an older reading is 412 and changes nothing."""
    caller = program()
    member = make_member(caller.tenant, Role.VIEWER)
    path = f"{USERS}/{user_of(member)}"
    tag = caller.get(path).headers["ETag"]
    headers = {"X-API-Key": caller.secret, "If-Match": tag}
    assert caller.ask("PATCH", path, json={"role": "operator"}, headers=headers).status_code == 200
    assert caller.ask("PATCH", path, json={"role": "viewer"}, headers=headers).status_code == 412
    assert role_in(caller.tenant, member) == "operator"


@pytest.mark.parametrize("address", [INVITATIONS, "/orgs/me/users/invite"])
def test_an_invitation_is_made_followed_and_revoked(program: Callable[..., Program], address: str) -> None:
    """201 with its place; no token in any answer; twice is 409; revoked it is no longer listed."""
    caller = program()
    email = f"{secrets.token_hex(5)}@example.com"
    made = caller.post(address, json={"email": email, "role": "viewer"})
    assert made.status_code == 201 and made.json["status"] == "pending"
    assert set(made.json) == {
        "id", "email", "role", "status", "invited_by", "created_at", "sent_at", "expires_at",
    }  # fmt: skip
    place = made.headers["Location"]
    assert caller.get(place).json["email"] == email
    assert caller.post(address, json={"email": email, "role": "viewer"}).status_code == 409
    assert caller.post(f"{INVITATIONS}/{made.json['id']}/resend").status_code == 200
    assert [row["email"] for row in caller.get(INVITATIONS).json["items"]] == [email]
    assert caller.ask("DELETE", place).json["status"] == "revoked"
    assert caller.get(INVITATIONS).json["items"] == []
    assert caller.ask("DELETE", place).status_code == 409
    assert caller.post(address, json={"email": "nobody", "role": "viewer"}).status_code == 422


def test_a_person_by_access_token_does_what_their_role_may(
    client: FlaskClient, base_url: str, tenants: Callable[[], Made]
) -> None:
    """With an access token an admin makes an auditor, and nobody an owner."""
    made = tenants()
    admin, member = make_member(made, Role.ADMIN), make_member(made, Role.VIEWER)
    bearer = Bearer(client, base_url, admin)
    assert bearer.login().status_code == 200
    path = f"{USERS}/{user_of(member)}"
    assert bearer.ask("PATCH", path, json={"role": "auditor"}).json["role"] == "auditor"
    assert bearer.ask("PATCH", path, json={"role": "owner"}).status_code == 403
    assert bearer.ask("DELETE", f"{USERS}/{user_of(made)}").status_code == 403
