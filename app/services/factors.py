"""Second factors of one's own: an authenticator app (RFC 6238) and recovery codes. They belong to the person."""

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.core import crypto
from app.core.errors import Conflict, Invalid, NotFound
from app.db import factors
from app.db.factors import Factors
from app.db.people import Account
from app.db.units import Doorway
from app.services import account_trails, authenticator_codes, mails
from app.services.accounts import Origin

ISSUER = "Sentinel"
CODES = 10
FORM_LASTS = timedelta(hours=1)
FORM_OVER = "The key was shown too long ago. Here is a new one: scan it again."
WRONG = "this code is wrong, or was used already"
_CODE_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: nothing that is misread
_MISREAD = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})


class WrongCode(Invalid):
    """The code is none of the person's, or was used before. It is counted: the caller commits the doorway."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What goes into an authenticator app: the key as people type it, and the same as an otpauth address.

    `sealed` is the key for the way through the person's form: it counts for nothing before a right code.
    """

    key: str
    uri: str
    sealed: str


def state(door: Doorway, user_id: UUID) -> Factors:
    """Return what the person can show beside the password."""
    return factors.factors_of(door.session, user_id)


def new_totp(account: Account, *, master_key: bytes, now: datetime) -> Enrolment:
    """Return a new secret for the person's authenticator app; nothing is kept."""
    secret = authenticator_codes.new_secret()
    plain = f"{int(now.timestamp())}:{secret}".encode()
    return _enrolment(account, secret, crypto.seal(master_key, plain, _form_purpose(account.user_id)))


def same_totp(account: Account, sealed: str, *, master_key: bytes, now: datetime) -> Enrolment:
    """Return the secret that a form brought back. Raises Invalid for one of another person, or older than an hour."""
    try:
        raw = base64.urlsafe_b64decode(sealed.encode())
        since, _, secret = crypto.unseal(master_key, raw, _form_purpose(account.user_id)).decode().partition(":")
    except (ValueError, crypto.Undecipherable) as error:
        raise Invalid(FORM_OVER) from error
    if now - datetime.fromtimestamp(int(since), UTC) > FORM_LASTS:
        raise Invalid(FORM_OVER)
    return _enrolment(account, secret, raw)


def _enrolment(account: Account, secret: str, sealed: bytes) -> Enrolment:
    uri = authenticator_codes.address_of(secret, account.email, ISSUER)
    return Enrolment(" ".join(re.findall("....", secret)), uri, base64.urlsafe_b64encode(sealed).decode())


def add_totp(
    door: Doorway, account: Account, shown: Enrolment, code: str, *, master_key: bytes, origin: Origin
) -> tuple[str, ...] | None:
    """Put an authenticator app in force by its first right code.

    Return recovery codes where the person had none; they are kept as hashes only. Raises Invalid, Conflict.
    """
    secret = shown.key.replace(" ", "")
    step = authenticator_codes.step_of(secret, code, door.units.clock.now())
    if step is None:
        raise Invalid(fields={"code": "this is not the app's present code; the clock of the phone must be right"})
    if not factors.add_totp(door.session, account.user_id, _sealed(secret, account.user_id, master_key), step):
        raise Conflict("There is an authenticator app already. Remove it first.")
    note(door, account, "totp.add", origin)
    return first_codes(door, account.user_id)


def first_codes(door: Doorway, user_id: UUID) -> tuple[str, ...] | None:
    """Return recovery codes for a person who has none, or None."""
    return None if factors.factors_of(door.session, user_id).codes_left else _new_codes(door, user_id)


def remove_totp(door: Doorway, account: Account, *, origin: Origin) -> None:
    """Forget the authenticator app. Raises NotFound."""
    if not factors.drop_totp(door.session, account.user_id):
        raise NotFound()
    drop_codes_with_last(door, account.user_id)
    note(door, account, "totp.remove", origin)


def drop_codes_with_last(door: Doorway, user_id: UUID) -> None:
    """Forget the recovery codes of a person who has no second factor any more."""
    if not factors.factors_of(door.session, user_id).any:
        factors.keep_recovery_codes(door.session, user_id, [])


def renew_codes(door: Doorway, account: Account, *, origin: Origin) -> tuple[str, ...]:
    """Return new recovery codes; the earlier ones are void. Raises Conflict without a second factor."""
    if not factors.factors_of(door.session, account.user_id).any:
        raise Conflict("Recovery codes stand in for a second factor: add one first.")
    codes = _new_codes(door, account.user_id)
    note(door, account, "recovery.renew", origin)
    return codes


def check_code(door: Doorway, user_id: UUID, code: str, *, master_key: bytes) -> str | None:
    """Take a code of the app or a recovery code, each once; return which it was (totp, recovery), or None."""
    plain = re.sub(r"\s", "", code)
    if re.fullmatch(r"[0-9]{6}", plain, re.ASCII):
        sealed = factors.totp_of(door.session, user_id)
        if sealed is None:
            return None
        step = authenticator_codes.step_of(_opened(sealed, user_id, master_key), plain, door.units.clock.now())
        return "totp" if step is not None and factors.use_totp(door.session, user_id, step) else None
    plain = code.strip().lower().translate(_MISREAD)
    if len(plain) != 12 or not factors.use_recovery_code(door.session, user_id, _code_hash(plain, user_id)):
        return None
    return "recovery"


def note(door: Doorway, account: Account, action: str, origin: Origin) -> None:
    """Write a change of factors down, and tell the person by mail."""
    tell(door, account.user_id, account.email, action, origin)


def tell(door: Doorway, user_id: UUID, email: str, action: str, origin: Origin) -> None:
    """Write down what happened to a person's factors, and tell the person by mail."""
    account_trails.record(door, user_id, action, origin, email=email)
    mails.request(door, "factors-changed", email, user_id=user_id, client=None)


def _new_codes(door: Doorway, user_id: UUID) -> tuple[str, ...]:
    plain = ["".join(secrets.choice(_CODE_ALPHABET) for _ in range(12)) for _ in range(CODES)]
    factors.keep_recovery_codes(door.session, user_id, [_code_hash(code, user_id) for code in plain])
    return tuple("-".join(re.findall("....", code)) for code in plain)


def _code_hash(plain: str, user_id: UUID) -> bytes:
    return crypto.slow_hash(plain, user_id.bytes)


def _sealed(secret: str, user_id: UUID, master_key: bytes) -> bytes:
    return crypto.seal(master_key, secret.encode(), b"totp:" + user_id.bytes)


def _opened(sealed: bytes, user_id: UUID, master_key: bytes) -> str:
    return crypto.unseal(master_key, sealed, b"totp:" + user_id.bytes).decode()


def _form_purpose(user_id: UUID) -> bytes:
    return b"totp form:" + user_id.bytes
