"""What the links in mails do, once a page's form is sent: looking at a link changes nothing."""

from uuid import UUID

from sqlalchemy import select

from app.core import crypto
from app.core.errors import Invalid, NotFound
from app.db import people
from app.db.people import Confirmed
from app.db.units import Doorway
from app.models.accounts import Membership
from app.services import account_trails, audit, mails
from app.services.accounts import (
    Origin,
    PendingSignIn,
    SignIn,
    count_failure,
    normal_email,
    require_unlocked,
    sign_in,
)
from app.services.passwords import LONGEST_PASSWORD, password_problem
from app.tenancy.actors import ActorKind

EMAIL_CHANGES = ("email-old", "email-new")
GONE = "This link was used already, or has expired. Ask for another where you asked for this one."


def look(door: Doorway, token: str, purpose: str) -> str:
    """Return the address that the link was mailed to. Raises NotFound for one that is not in force."""
    email = people.peek_token(door.session, crypto.token_hash(token), purpose)
    if email is None:
        raise NotFound(GONE)
    return email


def verify(door: Doorway, token: str, password: str, *, origin: Origin) -> SignIn | PendingSignIn:
    """Mark the address as its person's, and sign them in; `password` is the one they chose when they signed up.

    Whoever holds the mailbox but did not sign up does not know it: nobody confirms an account that another made in
    their name. Raises NotFound for a link that is not in force; Invalid for another password, and TooManyRequests: the
    caller commits the doorway then, so that failures are counted, and the link stays in force.
    """
    email = look(door, token, "verification")
    login = require_unlocked(door, email)
    if login.password_hash is None or not crypto.check_password(password[:LONGEST_PASSWORD], login.password_hash):
        count_failure(door, email, origin)
        raise Invalid(fields={"password": "not the password that was chosen when signing up"})
    user_id = people.redeem_verification(door.session, crypto.token_hash(token))
    if user_id is None:
        raise NotFound(GONE)
    account_trails.record(door, user_id, "email.verify", origin, email=email)
    return sign_in(door, email, password, origin=origin)


def unlock(door: Doorway, token: str, *, origin: Origin) -> None:
    """Forget the failed sign-ins. Raises NotFound."""
    email = look(door, token, "unlock")
    user_id = people.redeem_unlock(door.session, crypto.token_hash(token))
    if user_id is None:
        raise NotFound(GONE)
    account_trails.record(door, user_id, "sign-in.unlock", origin, email=email)


def request_reset(door: Doorway, email: str, *, origin: Origin) -> None:
    """Mail whoever has the address a link to set a new password.

    Whether anybody has it is asked when the mail is sent, in another process: answers and time tell nothing.
    Raises Invalid for what is no address.
    """
    try:
        address = normal_email(email)
    except ValueError as error:
        raise Invalid(fields={"email": "not an e-mail address"}) from error
    mails.request(door, "reset", address, user_id=None, client=origin.address)


def reset_password(door: Doorway, token: str, password: str, *, origin: Origin) -> None:
    """Set a new password; all sessions of the person end. Raises NotFound, and Invalid for a password that is weak."""
    email = look(door, token, "reset")
    if problem := password_problem(password, (email, email.partition("@")[0])):
        raise Invalid(fields={"password": problem})
    reset = people.redeem_reset(door.session, crypto.token_hash(token), crypto.hash_password(password))
    if reset is None:
        raise NotFound(GONE)
    account_trails.record(door, reset[0], "password.reset", origin, email=reset[1])
    mails.request(door, "password-changed", reset[1], user_id=reset[0], client=None)


def confirm_email(door: Doorway, token: str, purpose: str, *, origin: Origin) -> Confirmed:
    """Confirm a change of address from one of its sides; the second one changes it everywhere. Raises NotFound."""
    confirmed = people.redeem_email_change(door.session, crypto.token_hash(token), purpose)
    if confirmed is None:
        raise NotFound(GONE)
    if confirmed.done:
        show_in_tenants(door, confirmed.user_id, confirmed.old_email, origin, email=confirmed.new_email)
        people.note_account(door.session, confirmed.user_id, "email.change", origin.address, origin.agent)
        mails.request(door, "email-changed", confirmed.old_email, user_id=confirmed.user_id, client=None)
    return confirmed


def show_in_tenants(door: Doorway, user_id: UUID, label: str, origin: Origin, **changes: str) -> None:
    """Write a person's new name or address into each membership, with an audit row there."""
    actor = origin.actor(ActorKind.USER, user_id, label)
    for tenant_id in people.account_tenants(door.session, user_id):
        with door.within(tenant_id, actor) as unit:
            mine = unit.session.scalars(select(Membership).where(Membership.user_id == user_id)).one()
            before = {field: getattr(mine, field) for field in changes}
            for field, value in changes.items():
                setattr(mine, field, value)
            audit.record(unit, "membership.update", "membership", mine.id, before=before, after=changes)
