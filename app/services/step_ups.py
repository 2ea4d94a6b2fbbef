"""Proving once more who one is, within a session, which goes on under a new token."""

from app.core import crypto
from app.core.errors import Conflict, Unauthenticated
from app.db import directory
from app.db import factors as held
from app.db.factors import Waiting
from app.db.people import Account
from app.db.units import Doorway
from app.services import profiles, sign_ins
from app.services.accounts import Origin, require_unlocked


def by_password(door: Doorway, token: str, account: Account, password: str, *, origin: Origin) -> str:
    """Confirm by the password; return the session's new token. Of whoever has a second factor that is not enough.

    Raises Invalid, Conflict, TooManyRequests. The caller commits the doorway in either case.
    """
    if held.factors_of(door.session, account.user_id).any:
        raise Conflict("Show your second factor.")
    profiles.check_password(door, account, password, "password", origin)
    return renew(door, token, account, "password", strong=False)


def by_code(door: Doorway, token: str, account: Account, code: str, *, master_key: bytes, origin: Origin) -> str:
    """Confirm by a code of the app or a recovery code; return the session's new token.

    Raises Invalid, TooManyRequests. The caller commits the doorway in either case.
    """
    require_unlocked(door, account.email)
    person = Waiting(account.user_id, account.email, ())
    method = sign_ins.take_code(door, person, code, master_key=master_key, origin=origin)
    return renew(door, token, account, method, strong=True)


def renew(door: Doorway, token: str, account: Account, method: str, *, strong: bool) -> str:
    """Put the session under a new token, as proved just now by `method` too. Raises Unauthenticated if it has ended."""
    fresh = crypto.new_token()
    old, new = crypto.token_hash(token), crypto.token_hash(fresh)
    if not held.renew_session(door.session, old, new, (method,), strong=strong):
        raise Unauthenticated("The session has ended.")
    directory.note_login(door.session, account.email, good=True)
    return fresh
