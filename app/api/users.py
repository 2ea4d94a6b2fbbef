"""People for programs: the members of the tenant, their roles, removal."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from app.api.routing import noun_blueprint, resource
from app.api.shapes import Asked, Listing, Moment, Paging, Told
from app.core.permissions import Permission, Role, role_named
from app.db.units import Home, Unit
from app.models.accounts import Membership
from app.services import memberships

blueprint = noun_blueprint("users", __name__)
RoleName = Literal["owner", "admin", "operator", "viewer", "auditor"]


class UserQuery(Paging):
    """Which members, the newest first."""

    role: RoleName | None = None
    q: str | None = Field(None, max_length=100, description="Part of a name or an address")


class RoleRequest(Asked):
    """Another role; "member" is accepted for operator. Ownership is offered in the console, never given."""

    role: RoleName | Literal["member"] = Field(examples=["viewer"])


class UserView(Told):
    """A member of the tenant; id is the person's, the same in every tenant."""

    id: UUID
    email: str
    name: str
    role: RoleName
    beyond_plan: bool = Field(description="The plan has no seat for them: they read only")
    created_at: Moment = Field(description="Since when a member, UTC, RFC 3339")


class UserPage(Listing[UserView]):
    """A page of members."""


class RemovalView(Told):
    """Who was removed, and what ended with the membership."""

    id: UUID
    email: str
    keys_revoked: int
    invitations_revoked: int


def _told(member: Membership) -> UserView:
    return UserView.model_validate(
        {
            "id": member.user_id,
            **{name: getattr(member, name) for name in ("email", "name", "role", "beyond_plan", "created_at")},
        }
    )


@resource(
    blueprint,
    "GET",
    "/users",
    Permission.PEOPLE_READ,
    query=UserQuery,
    answer=UserPage,
    home=Home.ACCOUNT,
    aliases=("/users", "/orgs/me/users"),
)
def index(unit: Unit, query: UserQuery) -> UserPage:
    """List members, the newest first."""
    role = Role(query.role) if query.role else None
    page = memberships.list_members(unit, search=query.q, role=role, cursor=query.cursor, size=query.limit)
    return UserPage(items=[_told(member) for member in page.rows], next_cursor=page.next_cursor)


@resource(
    blueprint,
    "GET",
    "/users/<user_id>",
    Permission.PEOPLE_READ,
    answer=UserView,
    home=Home.ACCOUNT,
    tagged=True,
    aliases=("/orgs/me/users/<user_id>",),
)
def show(unit: Unit, user_id: UUID) -> UserView:
    """Show a member."""
    return _told(memberships.get_member(unit, user_id))


def _held(unit: Unit, user_id: UUID) -> UserView:
    """Show a member whom nobody else changes from now on."""
    memberships.lock_memberships(unit)
    return show(unit, user_id)


@resource(
    blueprint,
    "PATCH",
    "/users/<user_id>",
    Permission.PEOPLE_WRITE,
    Permission.PEOPLE_READ,
    body=RoleRequest,
    answer=UserView,
    home=Home.ACCOUNT,
    current=_held,
    aliases=("/orgs/me/users/<user_id>",),
)
def change(unit: Unit, user_id: UUID, body: RoleRequest) -> UserView:
    """Give a member another role, from their next request on."""
    return _told(memberships.change_role(unit, user_id, role_named(body.role)))


@resource(
    blueprint,
    "DELETE",
    "/users/<user_id>",
    Permission.PEOPLE_WRITE,
    Permission.PEOPLE_READ,
    answer=RemovalView,
    home=Home.ACCOUNT,
    current=_held,
    aliases=("/orgs/me/users/<user_id>",),
)
def remove(unit: Unit, user_id: UUID) -> RemovalView:
    """Remove a member: pages and keys of theirs are refused at the next request."""
    email = memberships.get_member(unit, user_id).email
    ended = memberships.end_membership(unit, user_id, reason="removed by a program")
    return RemovalView(id=user_id, email=email, keys_revoked=len(ended.keys), invitations_revoked=ended.invitations)
