"""Second factors: what is kept of them, how often each counts, and that no way in gets past them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from app.core import crypto
from app.core.clock import SetClock
from app.core.errors import AppError, Conflict, FactorRequired, Invalid, TooManyRequests, Unauthenticated
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Units
from app.services import accounts, confirmations, entrances, factors, sign_ins, step_ups
from app.services.accounts import SignIn
from tests.peers.apps import account_of, add_app, begin, master_key
from tests.peers.letters import Letters, text_of
from tests.peers.tenants import ORIGIN, Made, make_tenant
from tests.plugins.servers import Database


@pytest.fixture
def clock() -> SetClock:
    """A clock that the test moves."""
    return SetClock(datetime.now(UTC))


@pytest.fixture
def timed(environment: object, postgres_server: object, clock: SetClock) -> Iterator[Units]:
    """Units of work by that clock."""
    opened = open_units(settings(), settings().database_url.get_secret_value(), clock=clock)
    yield opened
    opened.engines.dispose()


def show(units: Units, token: str, code: str) -> SignIn | type[AppError]:
    """Show a code for the sign-in that waits, as the page does; return what was refused."""
    with units.identify() as door:
        try:
            done = sign_ins.show_code(door, token, code, master_key=master_key(), origin=ORIGIN)
        except AppError as error:
            door.commit()
            return type(error)
        door.commit()
        return done


def at_once(units: Units, made: Made, code: str | None) -> SignIn:
    with units.identify() as door:
        try:
            return sign_ins.sign_in_at_once(
                door, made.email, made.password, code, master_key=master_key(), origin=ORIGIN
            )
        finally:
            door.commit()


def test_a_password_alone_opens_no_session_of_who_has_a_factor(timed: Units, clock: SetClock) -> None:
    """What waits is no session: its token lets nobody in; the code then opens one that counts as strong."""
    made = make_tenant(timed)
    app, _codes = add_app(timed, made)
    token = begin(timed, made)
    with timed.identify() as door:
        assert entrances.by_session(door, token, made.slug) is None
    done = show(timed, token, app.code(clock.now()))
    assert isinstance(done, SignIn)
    with timed.identify() as door:
        visitor = entrances.by_session(door, done.token, made.slug)
    assert visitor is not None and visitor.proof.methods == ("password", "totp")
    assert visitor.proof.strong_at is not None
    assert show(timed, token, app.code(clock.now(), 1)) is Unauthenticated


def test_a_code_counts_once_and_within_one_step(timed: Units, clock: SetClock) -> None:
    """RFC 6238: the present code and those beside it; never one that was used, nor one before it."""
    made = make_tenant(timed)
    app, _codes = add_app(timed, made)
    clock.advance(timedelta(minutes=5))
    now = clock.now()
    for steps, taken in ((-2, False), (2, False), (-1, True), (-1, False), (1, True), (0, False), (1, False)):
        with timed.identify() as door:
            account = account_of(timed, made)
            held = factors.check_code(door, account.user_id, app.code(now, steps), master_key=master_key())
            door.commit()
        assert (held == "totp") is taken, steps
    clock.advance(timedelta(seconds=60))
    assert at_once(timed, made, app.code(clock.now())).methods == ("password", "totp")


def test_a_recovery_code_signs_in_once_and_is_told(units: Units, tenant: Made, letters: Letters) -> None:
    """Ten codes, each good for one sign-in, typed as people type; the person gets a mail."""
    _app, codes = add_app(units, tenant)
    assert len(set(codes)) == 10
    assert at_once(units, tenant, f" {codes[3].upper().replace('-', ' ')} ").methods == ("password", "recovery")
    with pytest.raises(Invalid):
        at_once(units, tenant, codes[3])
    with units.identify() as door:
        assert factors.state(door, account_of(units, tenant).user_id).codes_left == 9
    assert "recovery code was used" in text_of(letters.last(tenant.email))


def test_new_recovery_codes_void_the_old_ones(units: Units, tenant: Made) -> None:
    """After renewal an old code is refused and a new one taken."""
    _app, old = add_app(units, tenant)
    account = account_of(units, tenant)
    with units.identify() as door:
        new = factors.renew_codes(door, account, origin=ORIGIN)
        door.commit()
    with pytest.raises(Invalid):
        at_once(units, tenant, old[0])
    assert at_once(units, tenant, new[0]).methods == ("password", "recovery")


def test_secrets_are_kept_sealed_and_codes_as_hashes(units: Units, tenant: Made, postgres_server: Database) -> None:
    """Neither the app's key nor a recovery code can be read from the database."""
    account = account_of(units, tenant)
    with units.identify() as door:
        shown = factors.new_totp(account, master_key=master_key(), now=door.units.clock.now())
    _app, codes = add_app(units, tenant)
    with psycopg.connect(postgres_server.superuser) as connection:
        rows = [
            *connection.execute("SELECT secret FROM auth.totps").fetchall(),
            *connection.execute("SELECT code_hash FROM auth.recovery_codes").fetchall(),
        ]
    everything = b"".join(bytes(row[0]) for row in rows)
    assert len(rows) >= 11
    for plain in (shown.key.replace(" ", ""), *codes, *(code.replace("-", "") for code in codes)):
        assert plain.encode() not in everything
    other = crypto.seal(master_key(), b"x", b"totp:" + b"0" * 16)
    with pytest.raises(crypto.Undecipherable):
        crypto.unseal(master_key(), other, b"totp:" + account.user_id.bytes)


def test_a_key_from_a_form_is_ones_own_and_young(units: Units, tenant: Made, tenants: Callable[[], Made]) -> None:
    """The sealed key of another person's form, an old one and a made-up one are refused."""
    mine, theirs = account_of(units, tenant), account_of(units, tenants())
    now = datetime.now(UTC)
    shown = factors.new_totp(theirs, master_key=master_key(), now=now)
    old = factors.new_totp(mine, master_key=master_key(), now=now - timedelta(hours=2))
    assert factors.same_totp(theirs, shown.sealed, master_key=master_key(), now=now) == shown
    for sealed in (shown.sealed, old.sealed, "x", "", "\N{SNOWMAN}"):
        with pytest.raises(Invalid):
            factors.same_totp(mine, sealed, master_key=master_key(), now=now)


def test_a_second_app_needs_the_first_removed(units: Units, tenant: Made) -> None:
    """There is one app at a time; removing the last factor voids the recovery codes."""
    add_app(units, tenant)
    account = account_of(units, tenant)
    with units.identify() as door:
        now = door.units.clock.now()
        shown = factors.new_totp(account, master_key=master_key(), now=now)
        from tests.peers.apps import AuthenticatorApp

        code = AuthenticatorApp(shown.key).code(now)
        with pytest.raises(Conflict):
            factors.add_totp(door, account, shown, code, master_key=master_key(), origin=ORIGIN)
    with units.identify() as door:
        factors.remove_totp(door, account, origin=ORIGIN)
        assert not factors.state(door, account.user_id).any
        assert factors.state(door, account.user_id).codes_left == 0
        with pytest.raises(Conflict):
            factors.renew_codes(door, account, origin=ORIGIN)


def test_guesses_at_the_factor_end_the_sign_in_and_lock(units: Units, tenant: Made, letters: Letters) -> None:
    """Five wrong codes end what waits and lock the address, as wrong passwords do; the person gets the unlock mail."""
    add_app(units, tenant)
    token = begin(units, tenant)
    assert [show(units, token, "000000") for _ in range(7)] == [factors.WrongCode] * 5 + [Unauthenticated] * 2
    with pytest.raises(TooManyRequests):
        at_once(units, tenant, None)
    assert letters.last(tenant.email)["Subject"] == "Sign-in is locked for a while"


def test_a_known_password_buys_no_fresh_guesses(units: Units, tenant: Made) -> None:
    """Giving the right password between guesses does not reset their count."""
    add_app(units, tenant)
    for _ in range(5):
        assert show(units, begin(units, tenant), "000000") is factors.WrongCode
    with pytest.raises(TooManyRequests):
        begin(units, tenant)


def test_what_waits_ends_with_the_password(units: Units, tenant: Made, letters: Letters) -> None:
    """A sign-in begun with the old password is void after a reset, and the reset does not skip the factor."""
    _app, codes = add_app(units, tenant)
    token = begin(units, tenant)
    with units.identify() as door:
        confirmations.request_reset(door, tenant.email, origin=ORIGIN)
        door.commit()
    reset = letters.link(tenant.email).rsplit("/", 1)[1]
    new = "another sentence nobody guesses"
    with units.identify() as door:
        confirmations.reset_password(door, reset, new, origin=ORIGIN)
        door.commit()
    assert show(units, token, codes[0]) is Unauthenticated
    with units.identify() as door:
        begun = accounts.sign_in(door, tenant.email, new, origin=ORIGIN)
        assert not isinstance(begun, SignIn)


def test_a_program_is_told_which_factor_is_missing(units: Units, tenant: Made) -> None:
    """Sign-in in one step names what would do, and takes the code with the password."""
    app, _codes = add_app(units, tenant)
    with pytest.raises(FactorRequired) as missing:
        at_once(units, tenant, None)
    assert missing.value.extra["factors"] == ["totp", "recovery"]
    with pytest.raises(Invalid):
        at_once(units, tenant, "123")
    assert at_once(units, tenant, app.code(datetime.now(UTC))).methods == ("password", "totp")


def test_a_step_up_gives_the_session_a_new_token(units: Units, tenant: Made) -> None:
    """The older token lets nobody in; who has a factor shows it, and the session is strong."""
    account = account_of(units, tenant)
    with units.identify() as door:
        token = accounts.open_session_for(door, account.user_id, ORIGIN)
        fresh = step_ups.by_password(door, token, account, tenant.password, origin=ORIGIN)
        assert entrances.by_session(door, token, tenant.slug) is None
        visitor = entrances.by_session(door, fresh, tenant.slug)
        assert visitor is not None and visitor.proof.strong_at is None
        door.commit()
    app, _codes = add_app(units, tenant)
    with units.identify() as door:
        with pytest.raises(Conflict):
            step_ups.by_password(door, fresh, account, tenant.password, origin=ORIGIN)
        code = app.code(door.units.clock.now())
        last = step_ups.by_code(door, fresh, account, code, master_key=master_key(), origin=ORIGIN)
        visitor = entrances.by_session(door, last, tenant.slug)
        assert visitor is not None and visitor.proof.strong_at is not None
        assert set(visitor.proof.methods) == {"password", "totp"}
