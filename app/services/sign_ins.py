"""From a right password to a session: where a person has a second factor, nothing else opens one."""

from app.core import crypto
from app.core.errors import FactorRequired, Unauthenticated
from app.db import factors as held
from app.db.factors import Factors, Waiting
from app.db.passkeys import KnownPasskey
from app.db.units import Doorway
from app.services import accounts, factors
from app.services.accounts import Origin, SignIn
from app.services.factors import WrongCode

MOST_TRIES = 5
OVER = "This sign-in took too long, or was tried too often. Begin again."


def waiting(door: Doorway, token: str) -> tuple[Waiting, Factors]:
    """Return the sign-in that waits under this token, and what it takes. Raises Unauthenticated where it is over."""
    found = held.pending_sign_in(door.session, crypto.token_hash(token), MOST_TRIES)
    if found is None:
        raise Unauthenticated(OVER)
    return found, held.factors_of(door.session, found.user_id)


def try_waiting(door: Doorway, token: str) -> Waiting:
    """Count a try of the sign-in that waits. Raises Unauthenticated where it is over, TooManyRequests while locked."""
    found = held.try_sign_in(door.session, crypto.token_hash(token), MOST_TRIES)
    if found is None:
        raise Unauthenticated(OVER)
    accounts.require_unlocked(door, found.email)
    return found


def show_code(door: Doorway, token: str, code: str, *, master_key: bytes, origin: Origin) -> SignIn:
    """Open the session that waits, by a code of the app or a recovery code.

    Raises WrongCode, Unauthenticated, TooManyRequests. The caller commits the doorway in either case, so that failures
    are counted.
    """
    found = try_waiting(door, token)
    method = take_code(door, found, code, master_key=master_key, origin=origin)
    return finish(door, token, found, method, origin=origin)


def take_code(door: Doorway, found: Waiting, code: str, *, master_key: bytes, origin: Origin) -> str:
    """Take a person's code; return which kind it was. Raises WrongCode, which is counted."""
    method = factors.check_code(door, found.user_id, code, master_key=master_key)
    if method is None:
        accounts.count_failure(door, found.email, origin)
        raise WrongCode(fields={"code": factors.WRONG})
    if method == "recovery":
        factors.tell(door, found.user_id, found.email, "recovery.use", origin)
    return method


def finish(door: Doorway, token: str, found: Waiting, method: str, *, origin: Origin) -> SignIn:
    """Open the session that waited, now that its second factor was shown."""
    held.end_sign_in(door.session, crypto.token_hash(token))
    return accounts.complete_sign_in(
        door, found.user_id, found.email, origin, methods=(*found.methods, method), strong=True
    )


def by_passkey(door: Doorway, shown: KnownPasskey, *, origin: Origin) -> SignIn:
    """Open a session by a passkey alone, which its owner unlocked: that is two factors."""
    return accounts.complete_sign_in(door, shown.user_id, shown.email, origin, methods=("passkey",), strong=True)


def sign_in_at_once(
    door: Doorway, email: str, password: str, code: str | None, *, master_key: bytes, origin: Origin
) -> SignIn:
    """Open a session by password and, where the person has a second factor, a code of the app or a recovery code.

    Raises Unauthenticated, TooManyRequests, WrongCode, and FactorRequired where a code is missing: its
    `factors` name what would do. The caller commits the doorway in either case, so that failures are counted.
    """
    begun = accounts.sign_in(door, email, password, origin=origin)
    if isinstance(begun, SignIn):
        return begun
    if not code:
        abandon(door, begun.token)
        raise FactorRequired("A second factor is needed.", extra={"factors": list(begun.factors.names)})
    try:
        return show_code(door, begun.token, code, master_key=master_key, origin=origin)
    except WrongCode:
        abandon(door, begun.token)
        raise


def abandon(door: Doorway, token: str) -> None:
    """Forget a sign-in that waits."""
    held.end_sign_in(door.session, crypto.token_hash(token))
