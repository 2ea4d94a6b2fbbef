"""Invitations for programs: sent, listed while open, sent again, revoked. Links and tokens are told to nobody."""

from typing import Literal
from uuid import UUID

from flask import url_for
from pydantic import Field

from app.api.routing import Answer, noun_blueprint, resource
from app.api.shapes import Asked, Listing, Moment, Paging, Told
from app.api.users import RoleName
from app.core.permissions import Permission, role_named
from app.db.units import Home, Unit
from app.models.accounts import Invitation
from app.services import invitations

blueprint = noun_blueprint("invitations", __name__)


class InvitationRequest(Asked):
    """An address and a role; "member" is accepted for operator."""

    email: str = Field(max_length=320, examples=["engineer@example.com"])
    role: RoleName | Literal["member"] = Field(examples=["viewer"])


class InvitationView(Told):
    """An invitation; it holds for 7 days from sent_at and for its address alone."""

    id: UUID
    email: str
    role: RoleName
    status: Literal["pending", "expired", "accepted", "revoked", "void"]
    invited_by: str
    created_at: Moment
    sent_at: Moment
    expires_at: Moment


class InvitationPage(Listing[InvitationView]):
    """A page of open invitations."""


def _told(unit: Unit, invitation: Invitation) -> InvitationView:
    open_now = "expired" if invitation.expires_at <= unit.now() else "pending"
    names = ("id", "email", "role", "created_at", "sent_at", "expires_at")
    beside = {"status": invitation.outcome or open_now, "invited_by": invitation.inviter_label}
    return InvitationView.model_validate({**{name: getattr(invitation, name) for name in names}, **beside})


@resource(
    blueprint,
    "GET",
    "/invitations",
    Permission.PEOPLE_READ,
    query=Paging,
    answer=InvitationPage,
    home=Home.ACCOUNT,
)
def index(unit: Unit, query: Paging) -> InvitationPage:
    """List open invitations, the newest first."""
    page = invitations.list_invitations(unit, cursor=query.cursor, size=query.limit)
    return InvitationPage(items=[_told(unit, row) for row in page.rows], next_cursor=page.next_cursor)


@resource(
    blueprint,
    "POST",
    "/invitations",
    Permission.PEOPLE_WRITE,
    Permission.PEOPLE_READ,
    body=InvitationRequest,
    answer=InvitationView,
    status=201,
    home=Home.ACCOUNT,
    aliases=("/orgs/me/users/invite",),
)
def invite(unit: Unit, body: InvitationRequest) -> Answer:
    """Invite an address to a role; its link goes out by mail."""
    invitation = invitations.invite(unit, body.email, role_named(body.role))
    location = url_for("api_invitations.show", invitation_id=invitation.id)
    return Answer(_told(unit, invitation), {"Location": location})


@resource(
    blueprint,
    "GET",
    "/invitations/<invitation_id>",
    Permission.PEOPLE_READ,
    answer=InvitationView,
    home=Home.ACCOUNT,
    tagged=True,
)
def show(unit: Unit, invitation_id: UUID) -> InvitationView:
    """Show an invitation, also one that has ended."""
    return _told(unit, invitations.get_invitation(unit, invitation_id))


@resource(
    blueprint,
    "POST",
    "/invitations/<invitation_id>/resend",
    Permission.PEOPLE_WRITE,
    Permission.PEOPLE_READ,
    answer=InvitationView,
    home=Home.ACCOUNT,
)
def resend(unit: Unit, invitation_id: UUID) -> InvitationView:
    """Mail another link, good for 7 days; the one before is void."""
    return _told(unit, invitations.resend_invitation(unit, invitation_id))


@resource(
    blueprint,
    "DELETE",
    "/invitations/<invitation_id>",
    Permission.PEOPLE_WRITE,
    Permission.PEOPLE_READ,
    answer=InvitationView,
    home=Home.ACCOUNT,
    tagged=True,
    current=show,
    held=Invitation,
)
def revoke(unit: Unit, invitation_id: UUID) -> InvitationView:
    """Void an invitation and its link."""
    return _told(unit, invitations.revoke_invitation(unit, invitation_id))
