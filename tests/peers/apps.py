"""An authenticator app, and the person's account with one, made by the services themselves."""

from datetime import datetime, timedelta

import pyotp

from app.core.clock import SetClock
from app.core.settings import settings
from app.db.people import Account
from app.db.units import Units
from app.services import accounts, factors, profiles
from app.services.accounts import SignIn
from tests.peers.tenants import ORIGIN, Made


def master_key() -> bytes:
    """The master key of the test's installation."""
    return settings().master


class AuthenticatorApp:
    """Holds one key; the codes that a test takes from it are each a step later than the last one."""

    def __init__(self, key: str) -> None:
        self._totp = pyotp.TOTP(key.replace(" ", ""))

    def code(self, at: datetime, steps: int = 0) -> str:
        """Return the code that is shown at a moment, or `steps` half minutes later."""
        return self._totp.at(at + timedelta(seconds=30 * steps))


def account_of(units: Units, made: Made) -> Account:
    """Return the account of the tenant's first member."""
    with units.identify() as door:
        assert made.actor.id is not None
        token = accounts.open_session_for(door, made.actor.id, ORIGIN)
        return profiles.account_of(door, token)


def add_app(units: Units, made: Made) -> tuple[AuthenticatorApp, tuple[str, ...]]:
    """Give the tenant's first member an authenticator app, half a minute ago; return it and the codes."""
    account = account_of(units, made)
    ticking, now = units.clock, units.clock.now() - timedelta(seconds=30)
    units.clock = SetClock(now)
    try:
        with units.identify() as door:
            shown = factors.new_totp(account, master_key=master_key(), now=now)
            app = AuthenticatorApp(shown.key)
            codes = factors.add_totp(door, account, shown, app.code(now), master_key=master_key(), origin=ORIGIN)
            door.commit()
    finally:
        units.clock = ticking
    assert codes is not None
    return app, codes


def begin(units: Units, made: Made) -> str:
    """Give the right password; return the token of the sign-in that waits."""
    with units.identify() as door:
        begun = accounts.sign_in(door, made.email, made.password, origin=ORIGIN)
        door.commit()
    assert not isinstance(begun, SignIn)
    return begun.token
