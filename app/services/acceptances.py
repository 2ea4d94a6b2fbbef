"""Accepting an invitation by its link: signed in with that address, or as a new person. Looking changes nothing."""

from dataclasses import dataclass
from uuid import UUID

from app.core import crypto
from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from app.core.ids import new_id
from app.core.permissions import role_named
from app.db import directory
from app.db import invitations as links
from app.db.invitations import Invited
from app.db.units import Doorway
from app.models.accounts import Invitation
from app.services import audit
from app.services.accounts import Origin, SignIn, line_problem, open_session_for
from app.services.memberships import add_member, find_member, lock_memberships
from app.services.passwords import password_problem
from app.services.profiles import account_of
from app.tenancy.actors import ActorKind

GONE = "The link has expired, was used, or was replaced by a newer one."


class WrongAccount(PermissionDenied):
    """The invitation is for another address than that of the account."""

    code, title = "wrong-account", "This invitation is for somebody else"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What a new person tells; the password in clear."""

    name: str
    password: str


def look(door: Doorway, token: str) -> Invited:
    """Return what the link offers. Raises NotFound, alike for a token that is unknown, used, revoked or expired."""
    invited = links.peek_invitation(door.session, crypto.token_hash(token))
    if invited is None:
        raise NotFound(GONE)
    return invited


def accept(door: Doorway, token: str, session_token: str, *, origin: Origin) -> Invited:
    """Make whoever holds the session a member. Raises NotFound, WrongAccount; Unauthenticated without a session."""
    invited = look(door, token)
    account = account_of(door, session_token)
    if account.email != invited.email:
        raise WrongAccount(f"It was sent to {invited.email}, and you are signed in as {account.email}.")
    _join(door, invited, account.user_id, account.name, origin)
    return invited


def join(door: Doorway, token: str, newcomer: Newcomer, *, origin: Origin) -> SignIn:
    """Make a new person with the invited address, which the link has confirmed, a member; and sign them in.

    Raises NotFound, Conflict where the address has an account, Invalid with a word for each field that will not do.
    """
    invited = look(door, token)
    problems = {}
    if problem := line_problem(newcomer.name, 120):
        problems["name"] = problem
    if problem := password_problem(newcomer.password, (invited.tenant_name, invited.slug, invited.email)):
        problems["password"] = problem
    if problems:
        raise Invalid("Some fields need another value.", fields=problems)
    name, user_id, hashed = newcomer.name.strip(), new_id(), crypto.hash_password(newcomer.password)
    if not directory.register_user(door.session, user_id, invited.email, name, hashed, verified=True):
        raise Conflict("This address has an account. Sign in with it to accept.")
    _join(door, invited, user_id, name, origin)
    return SignIn(open_session_for(door, user_id, origin), user_id, invited.slug)


def _join(door: Doorway, invited: Invited, user_id: UUID, name: str, origin: Origin) -> None:
    """Write the membership in the tenant, once: of two at the same moment the second finds the invitation used."""
    actor = origin.actor(ActorKind.USER, user_id, invited.email)
    with door.within(invited.tenant_id, actor) as unit:
        lock_memberships(unit)
        invitation = unit.session.get(Invitation, (unit.tenant_id, invited.id))
        if invitation is None or invitation.ended_at is not None or invitation.expires_at <= unit.now():
            raise NotFound(GONE)
        if find_member(unit, user_id) is None:
            add_member(unit, user_id, invited.email, name, role_named(invitation.role), source="invitation")
        invitation.ended_at, invitation.outcome = unit.now(), "accepted"
        told = {"email": invited.email, "role": invitation.role, "invited_by": invitation.inviter_label}
        audit.record(unit, "invitation.accept", "invitation", invitation.id, after=told)
