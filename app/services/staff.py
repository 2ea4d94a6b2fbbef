"""The platform's staff: one-use links, signing in with password and second factor, orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID

from app.core import crypto
from app.core.errors import Conflict, Invalid, NotFound, TooManyRequests, Unauthenticated
from app.core.ids import new_id
from app.db import erasures, oversight
from app.db import staff as directory
from app.db.staff import Member, NewOrder
from app.db.units import Doorway
from app.services import authenticator_codes
from app.services.accounts import Origin, line_problem, normal_email
from app.services.lifecycles import PLANS, checked_reason
from app.services.passwords import LONGEST_PASSWORD, password_problem

LINK_LASTS = timedelta(hours=24)
SESSION_LASTS = timedelta(hours=12)
SESSION_IDLE = timedelta(minutes=30)
LONGEST_ANSWER = 500
WRONG = "The address, the password or the code is wrong."


class NotStaff(Invalid):
    """Who is named as acting is no member of staff, or is disabled."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a newcomer to the staff tells; `factor` is the secret that was shown, `code` what their app makes of it."""

    name: str
    password: str
    factor: str
    code: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What a member of staff wants done to a tenant, and why."""

    tenant_id: UUID
    action: str
    reason: str
    detail: Mapping[str, Any]


def invite(door: Doorway, email: str, *, by: str, reason: str, origin: Origin) -> str:
    """Return the token of a one-use link that makes a member of staff, or sets their password and factor anew.

    It lasts for 24 hours; who asked for it and why is on record. Raises Invalid for what is no address or reason.
    """
    why = checked_reason(reason)
    try:
        address = normal_email(email)
    except ValueError:
        raise Invalid("The link was not made.", fields={"email": "not an e-mail address"}) from None
    token = crypto.new_token()
    directory.invite(door.session, crypto.token_hash(token), address, LINK_LASTS)
    _note(door, by, "staff.invite", origin, reason=why, about={"email": address})
    return token


def disable(door: Doorway, email: str, *, by: str, reason: str, origin: Origin) -> None:
    """Let a member of staff in no more, and end their sessions. Raises Invalid for no reason, NotFound."""
    why, address = checked_reason(reason), email.strip().lower()
    if not directory.disable(door.session, address):
        raise NotFound("There is no such member of staff.")
    _note(door, by, "staff.disable", origin, reason=why, about={"email": address})


def named(door: Doorway, email: str) -> Member:
    """Return the member of staff whom a command names. Raises NotStaff for an address that is nobody's in force.

    It is for the record and proves nothing: whoever has the platform's login can act in any member's name.
    """
    try:
        address = normal_email(email)
    except ValueError:
        raise NotStaff("Nothing was done.", fields={"as": "not an e-mail address"}) from None
    found = directory.find_login(door.session, address)
    if found.staff_id is None:
        raise NotStaff("Nothing was done.", fields={"as": f"{address} is no member of staff, or is disabled"})
    return Member(found.staff_id, address, found.name or "")


def inviter(door: Doorway, email: str) -> str:
    """Return who is on record as asking for a link: a member of staff; while nobody is one, whoever is named.

    So the first member can be made, and another after the last was disabled. Raises NotStaff.
    """
    if any(one.disabled_at is None for one in directory.list_staff(door.session)):
        return named(door, email).email
    try:
        return normal_email(email)
    except ValueError:
        raise NotStaff("Nothing was done.", fields={"as": "not an e-mail address"}) from None


def invited(door: Doorway, token: str) -> str:
    """Return the address that the link is for. Raises NotFound where it is not in force."""
    found = directory.peek_link(door.session, crypto.token_hash(token))
    if found is None:
        raise NotFound("This link was used already, or its time is over.")
    return found


def enrol(door: Doorway, token: str, given: Enrolment, *, master_key: bytes, origin: Origin) -> str:
    """Make the member of staff that the link is for, or set their password and factor anew; return the address.

    Raises NotFound where the link is not in force, Invalid with a word for each field that will not do.
    """
    email = invited(door, token)
    problems: dict[str, str] = {}
    if problem := line_problem(given.name, 120):
        problems["name"] = problem
    if problem := password_problem(given.password, (email,)):
        problems["password"] = problem
    step = authenticator_codes.step_of(given.factor, given.code, door.units.clock.now())
    if step is None:
        problems["code"] = "not the code that your app shows now"
    if problems or step is None:
        raise Invalid("Some fields need another value.", fields=problems)
    staff_id = new_id()
    sealed = crypto.seal(master_key, given.factor.encode(), email.encode())
    done = directory.redeem_link(
        door.session,
        crypto.token_hash(token),
        staff_id,
        name=given.name.strip(),
        password_hash=crypto.hash_password(given.password),
        factor=sealed,
        step=step,
    )
    if done is None:
        raise NotFound("This link was used already, or its time is over.")
    _note(door, email, "staff.enrol", origin)
    return email


def sign_in(door: Doorway, email: str, password: str, code: str, *, master_key: bytes, origin: Origin) -> str:
    """Open a session; return its token. Raises Unauthenticated alike for an unknown address and anything wrong.

    The caller commits the doorway in either case, so that failures are counted.
    """
    try:
        address = normal_email(email)
    except ValueError:
        address = ""
    login = directory.find_login(door.session, address)
    if login.locked:
        raise TooManyRequests("Too many failed attempts. Wait a little, then try again.")
    matches = crypto.check_password(password[:LONGEST_PASSWORD], login.password_hash)
    if login.staff_id is None or login.factor is None or not matches:
        _refuse(door, address, origin)
    factor = crypto.unseal(master_key, login.factor, address.encode()).decode()
    step = authenticator_codes.step_of(factor, code, door.units.clock.now())
    if step is None:
        _refuse(door, address, origin)
    token = crypto.new_token()
    opened = directory.open_session(
        door.session,
        login.staff_id,
        step=step,
        token_hash=crypto.token_hash(token),
        session_id=new_id(),
        lasts=SESSION_LASTS,
        idle=SESSION_IDLE,
        address=origin.address,
        agent=(origin.agent or "")[:300],
    )
    if not opened:
        _refuse(door, address, origin)
    _note(door, address, "staff.sign-in", origin)
    return token


def _refuse(door: Doorway, address: str, origin: Origin) -> NoReturn:
    directory.note_failure(door.session, address)
    _note(door, address or "nobody", "staff.sign-in-failed", origin)
    raise Unauthenticated(WRONG)


def sign_out(door: Doorway, token: str) -> None:
    """End the session."""
    directory.close_session(door.session, crypto.token_hash(token))


def member_of(door: Doorway, token: str) -> Member | None:
    """Return who is signed in."""
    return directory.member(door.session, crypto.token_hash(token))


def order(door: Doorway, who: Member, wish: Wish, *, origin: Origin) -> UUID:
    """Put an order on record; the worker carries it out, a suspension holds from the commit on. Returns its id.

    Raises Invalid for no reason or an unknown plan, Conflict where there is no such tenant, or the tenant is not in a
    state for it.
    """
    reason = checked_reason(wish.reason)
    if wish.action == "tenant.change-plan" and wish.detail.get("plan") not in PLANS:
        raise Invalid("There is no such plan.", fields={"plan": "choose one of " + ", ".join(PLANS)})
    if erasures.begun(door.session, wish.tenant_id):
        raise Conflict("The tenant is being erased, or was: nothing else can be done to it.")
    if wish.action == "tenant.purge":
        _check_erasure(door, wish)
    order_id = new_id()
    given = NewOrder(
        order_id,
        who.id,
        who.email,
        wish.tenant_id,
        wish.action,
        reason,
        wish.detail,
        origin.address,
        origin.agent,
        origin.request_id,
    )
    if not directory.order(door.session, given):
        raise Conflict("There is no such tenant, or it is not in a state for that.")
    return order_id


def _check_erasure(door: Doorway, wish: Wish) -> None:
    row = oversight.tenant(door.session, wish.tenant_id)
    if row is None or row.status not in ("suspended", "deleted"):
        raise Conflict("Only a suspended or deleted tenant is erased.")
    if str(wish.detail.get("slug", "")).strip() != row.slug:
        raise Invalid("The tenant is not erased.", fields={"slug": f"type {row.slug} to erase it"})


def checked_answer(answer: str | None) -> str:
    """Return what the owners are told, without space around it; it may be empty. Raises Invalid for a long one."""
    words = (answer or "").strip()
    if len(words) > LONGEST_ANSWER or not words.isprintable():
        raise Invalid("The answer will not do.", fields={"answer": f"at most {LONGEST_ANSWER} characters, on one line"})
    return words


def note_export(door: Doorway, who: Member, filters: Mapping[str, str], *, origin: Origin) -> None:
    """Write down that the staff's log was taken out, and which part of it."""
    _note(door, who.email, "staff.export-log", origin, about={"filters": dict(filters)})


def _note(
    door: Doorway,
    who: str,
    action: str,
    origin: Origin,
    *,
    reason: str | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    oversight.note(
        door.session,
        new_id(),
        who,
        action,
        reason,
        address=origin.address,
        agent=origin.agent,
        request_id=origin.request_id,
        about=about,
    )
