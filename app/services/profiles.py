"""One's own account: name, address, password, sessions. Who holds a session does these to nobody but themselves."""

from datetime import timedelta
from uuid import UUID

from app.core import crypto
from app.core.errors import Invalid, NotFound, TooManyRequests, Unauthenticated
from app.db import people, tokens
from app.db.people import Account, AccountEvent, OpenSession
from app.db.units import Doorway
from app.services import account_trails, mails
from app.services.accounts import Origin, count_failure, line_problem, normal_email, require_unlocked
from app.services.confirmations import show_in_tenants
from app.services.passwords import LONGEST_PASSWORD, password_problem

CHANGE_LASTS = timedelta(days=1)


def account_of(door: Doorway, token: str) -> Account:
    """Return the account of whoever holds the session. Raises Unauthenticated where it has ended."""
    account = people.account_of(door.session, crypto.token_hash(token))
    if account is None:
        raise Unauthenticated("The session has ended.")
    return account


def sessions_of(door: Doorway, token: str) -> list[OpenSession]:
    """Return the person's sessions, the present one first."""
    return people.account_sessions(door.session, crypto.token_hash(token))


def programs_of(door: Doorway, token: str) -> dict[UUID, str]:
    """Return which of the person's sessions are programs', each with the name of its tenant."""
    return tokens.account_programs(door.session, crypto.token_hash(token))


def events_of(door: Doorway, token: str) -> list[AccountEvent]:
    """Return what was done to the account, newest first."""
    return people.account_events(door.session, crypto.token_hash(token))


def rename(door: Doorway, token: str, name: str, *, origin: Origin) -> None:
    """Give oneself another name, in every tenant. Raises Invalid."""
    account = account_of(door, token)
    if problem := line_problem(name, 120):
        raise Invalid(fields={"name": problem})
    if name.strip() == account.name:
        return
    people.rename_account(door.session, crypto.token_hash(token), name.strip())
    show_in_tenants(door, account.user_id, account.email, origin, name=name.strip())
    people.note_account(door.session, account.user_id, "name.change", origin.address, origin.agent)


def change_password(door: Doorway, token: str, *, current: str, new: str, origin: Origin) -> int:
    """Change the password and end the other sessions; return how many ended.

    Raises Invalid, TooManyRequests. The caller commits the doorway in either case, so that failures are counted.
    """
    account = account_of(door, token)
    check_password(door, account, current, "current", origin)
    problem = password_problem(new, (account.email, account.email.partition("@")[0], account.name))
    if problem or new == current:
        raise Invalid(fields={"new": problem or "the same as before"})
    hashed = crypto.token_hash(token)
    if not people.change_password(door.session, hashed, account.password_hash, crypto.hash_password(new)):
        raise Invalid(fields={"current": "it was changed meanwhile"})
    ended = people.end_other_sessions(door.session, hashed)
    _note(door, account, "password.change", origin)
    mails.request(door, "password-changed", account.email, user_id=account.user_id, client=None)
    return ended


def begin_email_change(door: Doorway, token: str, *, email: str, password: str, origin: Origin) -> str:
    """Mail both addresses a link; the address changes once both are confirmed. Return the new one.

    Raises Invalid, TooManyRequests. An address that somebody has is answered like any other.
    The caller commits the doorway in either case, so that failures are counted.
    """
    account = account_of(door, token)
    try:
        address = normal_email(email)
    except ValueError as error:
        raise Invalid(fields={"email": "not an e-mail address"}) from error
    if address == account.email:
        raise Invalid(fields={"email": "this is your present address"})
    check_password(door, account, password, "password", origin)
    people.begin_email_change(door.session, crypto.token_hash(token), address, CHANGE_LASTS)
    sent = mails.request(door, "email-new", address, user_id=account.user_id, client=origin.address)
    if not sent or not mails.request(door, "email-old", account.email, user_id=account.user_id, client=origin.address):
        people.drop_email_change(door.session, crypto.token_hash(token))
        raise TooManyRequests("There were several such mails within the hour. Try again later.")
    _note(door, account, "email.request", origin)
    return address


def drop_email_change(door: Doorway, token: str, *, origin: Origin) -> None:
    """Give up the change of address that is under way, if any."""
    account = account_of(door, token)
    if account.new_email is not None:
        people.drop_email_change(door.session, crypto.token_hash(token))
        _note(door, account, "email.keep", origin)


def end_session(door: Doorway, token: str, session_id: UUID, *, origin: Origin) -> None:
    """End one of one's own sessions. Raises NotFound for any other."""
    account = account_of(door, token)
    if not people.end_session(door.session, crypto.token_hash(token), session_id):
        raise NotFound()
    _note(door, account, "session.end", origin)


def end_other_sessions(door: Doorway, token: str, *, origin: Origin) -> int:
    """End all of one's sessions but this one; return how many."""
    account = account_of(door, token)
    ended = people.end_other_sessions(door.session, crypto.token_hash(token))
    if ended:
        _note(door, account, "session.end-others", origin)
    return ended


def check_password(door: Doorway, account: Account, typed: str, field: str, origin: Origin) -> None:
    """Return if `typed` is the person's password. Raises Invalid at `field`, TooManyRequests; failures are counted."""
    require_unlocked(door, account.email)
    if not crypto.check_password(typed[:LONGEST_PASSWORD], account.password_hash):
        count_failure(door, account.email, origin)
        raise Invalid(fields={field: "this is not your password"})


def _note(door: Doorway, account: Account, action: str, origin: Origin) -> None:
    account_trails.record(door, account.user_id, action, origin, email=account.email)
