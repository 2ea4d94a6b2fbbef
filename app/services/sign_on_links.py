"""Linking a provider's subject to the account that has its address: by its password or by a mail to it, once.

Either is done in the browser that came back from the provider, for the very subject, issuer and connection that it came
back with, and by whoever has a second factor with a code too. An address that nobody confirmed is linked by nothing:
whoever signed up with another's address would share the account; a new password by mail makes it its holder's.
"""

from app.core import crypto
from app.core.errors import SignInRefused, TooManyRequests
from app.core.ids import new_id
from app.core.settings import Settings
from app.db import factors, people, sign_ons
from app.db.factors import Waiting
from app.db.sign_ons import PendingLink
from app.db.units import Doorway
from app.services import mails, sign_ins
from app.services.accounts import Origin, PendingSignIn, check_credentials, require_unlocked
from app.services.joinings import link
from app.services.openid import Client
from app.services.sign_ons import GONE, LINK_LASTS, NEVER, Opened, Vouched, open_for, way_back

NOT_HERE = (
    "This link was used already, has expired, or was asked for in another browser. Open it in the one in which you "
    "began to sign in, or begin again there."
)


def waiting_link(door: Doorway, link_token: str, browser: str) -> PendingLink:
    """Return the link that waits for a proof, to the browser that it began in. Raises SignInRefused."""
    found = sign_ons.pending_link(door.session, crypto.token_hash(link_token), crypto.token_hash(browser))
    if found is None:
        raise SignInRefused(GONE)
    return found


def by_password(
    door: Doorway,
    link_token: str,
    password: str,
    code: str,
    *,
    browser: str,
    base_url: str,
    own: Client | None,
    master_key: bytes,
    origin: Origin,
) -> Opened | PendingSignIn:
    """Link the subject to the account by its password, and open the session, or begin what still has to be shown.

    Raises SignInRefused; Unauthenticated, Invalid and TooManyRequests for a wrong password or code, after which the
    caller commits the doorway, so that failures are counted.
    """
    pending = waiting_link(door, link_token, browser)
    check_credentials(door, pending.email, password, origin=origin)
    _check_factor(door, pending, code, master_key, origin)
    vouched = Vouched(pending.issuer, pending.subject, door.units.clock.now())
    return _open(door, link_token, pending, vouched, base_url, own, origin)


def request_mail(door: Doorway, link_token: str, *, browser: str, settings: Settings, origin: Origin) -> None:
    """Mail the account's address a link that confirms this sign-in; an earlier one no longer does.

    An account whose address nobody confirmed is mailed the way to a new password, which confirms it: whoever asks is
    told the same. Raises SignInRefused, TooManyRequests.
    """
    pending = waiting_link(door, link_token, browser)
    known = sign_ons.find_account(door.session, pending.email)
    kind, mail_id = "sso-link" if known is not None and known.verified else "reset", new_id()
    hashes = (crypto.token_hash(secret) for secret in (link_token, browser, mails.mail_token(mail_id, settings)))
    if not sign_ons.mail_link(door.session, *hashes, lasts=LINK_LASTS):
        raise SignInRefused(GONE)
    given = {"user_id": pending.user_id, "client": origin.address, "mail_id": mail_id}
    if not mails.request(door, kind, pending.email, **given):  # type: ignore[arg-type]
        raise TooManyRequests("There were several such mails within the hour. Try again later.")


def look(door: Doorway, link_token: str, mail_token: str, browser: str) -> PendingLink:
    """Return what a mail's link would link, to the browser that asked for it. Raises SignInRefused."""
    try:
        pending = waiting_link(door, link_token, browser)
    except SignInRefused:
        raise SignInRefused(NOT_HERE) from None
    if people.peek_token(door.session, crypto.token_hash(mail_token), "sso-link") != pending.email:
        raise SignInRefused(NOT_HERE)
    return pending


def by_mail(
    door: Doorway,
    link_token: str,
    mail_token: str,
    code: str,
    *,
    browser: str,
    base_url: str,
    own: Client | None,
    master_key: bytes,
    origin: Origin,
) -> Opened | PendingSignIn:
    """Link the subject to the account by the token that was mailed to it, and open the session.

    Raises SignInRefused for any other token and in any other browser; Invalid and TooManyRequests for a wrong code,
    after which the caller commits the doorway: the mail's link stays in force.
    """
    pending = look(door, link_token, mail_token, browser)
    _check_factor(door, pending, code, master_key, origin)
    hashes = (crypto.token_hash(secret) for secret in (link_token, browser, mail_token))
    if not sign_ons.take_mailed_link(door.session, *hashes):
        raise SignInRefused(NOT_HERE)
    return _open(door, link_token, pending, Vouched(pending.issuer, pending.subject, NEVER), base_url, own, origin)


def _check_factor(door: Doorway, pending: PendingLink, code: str, master_key: bytes, origin: Origin) -> None:
    """Take the code of whoever has a second factor; the way of the platform's own provider asks for it anyhow."""
    if pending.tenant_id is not None and factors.factors_of(door.session, pending.user_id).any:
        require_unlocked(door, pending.email)
        person = Waiting(pending.user_id, pending.email, ())
        sign_ins.take_code(door, person, code, master_key=master_key, origin=origin)


def _open(
    door: Doorway,
    link_token: str,
    pending: PendingLink,
    vouched: Vouched,
    base_url: str,
    own: Client | None,
    origin: Origin,
) -> Opened | PendingSignIn:
    if not sign_ons.drop_link(door.session, crypto.token_hash(link_token)):
        raise SignInRefused(GONE)
    way = way_back(door, pending.connection_id, base_url, own)
    link(door, pending, origin)
    return open_for(door, pending.user_id, way, pending.next, origin, None, vouched)
