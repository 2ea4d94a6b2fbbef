"""Passkeys: what an answer must hold, for what, how often, and what a copy betrays."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.core.errors import TooManyRequests
from app.db.units import Units
from app.services import accounts, factors, passkeys
from app.services.passkeys import Ceremony, WrongPasskey, site_of
from tests.peers.apps import account_of, begin
from tests.peers.authenticators import PRESENT, Authenticator
from tests.peers.letters import Letters
from tests.peers.tenants import ORIGIN, Made

SITE = site_of("http://localhost:8000")


def enrol(units: Units, made: Made, device: Authenticator) -> tuple[str, ...] | None:
    """Add the device's passkey to the account of the tenant's first member; return the recovery codes."""
    account = account_of(units, made)
    with units.identify() as door:
        begun = passkeys.begin_enrolment(door, account, bound="session", site=SITE)
        given = Ceremony("enrol", begun.handle, "session")
        answer = device.create(begun.options)
        codes = passkeys.add_passkey(door, account, given, answer, "Ring", site=SITE, origin=ORIGIN)
        door.commit()
    return codes


def challenge(units: Units, purpose: str = "sign-in", bound: str = "") -> tuple[str, str]:
    """Begin to show a passkey; return handle and options."""
    with units.identify() as door:
        begun = passkeys.begin_proof(door, purpose, bound=bound, user_id=None, site=SITE)
        door.commit()
    return begun.handle, begun.options


def check(units: Units, ceremony: Ceremony, answer: str, made: Made | None = None) -> str:
    """Show an answer; return whose it is, or the words of the refusal."""
    with units.identify() as door:
        user_id = made.actor.id if made else None
        try:
            found = passkeys.check(door, ceremony, answer, user_id=user_id, site=SITE, origin=ORIGIN)
        except WrongPasskey as error:
            door.commit()
            return error.detail
        door.commit()
    return found.email


def test_a_passkey_signs_in_by_itself(units: Units, tenant: Made) -> None:
    """The first one brings recovery codes; its answer names its owner, who is asked for a factor from then on."""
    device = Authenticator()
    codes = enrol(units, tenant, device)
    assert codes is not None and len(codes) == 10
    handle, options = challenge(units)
    assert json.loads(options)["allowCredentials"] == [] and json.loads(options)["userVerification"] == "required"
    assert check(units, Ceremony("sign-in", handle, ""), device.get(options)) == tenant.email
    assert begin(units, tenant)


def test_a_challenge_is_answered_once_for_its_purpose_and_browser(units: Units, tenant: Made) -> None:
    """A second use, another purpose, another session and a made-up handle are refused, and spend the challenge."""
    device = Authenticator()
    enrol(units, tenant, device)
    handle, options = challenge(units)
    answer = device.get(options)
    assert check(units, Ceremony("sign-in", handle, ""), answer) == tenant.email
    assert "too long" in check(units, Ceremony("sign-in", handle, ""), answer)
    for purpose, bound in (("factor", "mine"), ("confirm", "theirs"), ("sign-in", "mine")):
        handle, options = challenge(units, "confirm", "mine")
        assert "too long" in check(units, Ceremony(purpose, handle, bound), device.get(options))
        assert "too long" in check(units, Ceremony("confirm", handle, "mine"), device.get(options))
    assert "too long" in check(units, Ceremony("sign-in", "x" * 43, ""), device.get(options))


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"host": "evil.example"},
        {"flags": PRESENT},
        {"flags": 0},
        {"key": Authenticator().key},
        {"user_handle": b"somebody else's"},
        {"user_handle": b""},
        {"credential_id": b"unknown" * 4},
    ],
    ids=["origin", "host", "unverified", "absent", "key", "another", "nobody", "unknown"],
)
def test_a_forged_answer_is_refused(units: Units, tenant: Made, wrong: dict[str, object]) -> None:
    """Another origin, site, key, owner or passkey, or one that nobody unlocked, signs nobody in."""
    device = Authenticator()
    enrol(units, tenant, device)
    handle, options = challenge(units)
    forged = replace(device, **wrong)  # type: ignore[arg-type]
    assert check(units, Ceremony("sign-in", handle, ""), forged.get(options)) == passkeys.REFUSED


@pytest.mark.parametrize("answer", ["", "[]", "{}", "null", "x" * 20_000, '{"id":1,"rawId":[],"response":{}}', "\x00"])
def test_a_broken_answer_is_refused(units: Units, tenant: Made, answer: str) -> None:
    """What is no answer of an authenticator ends as a refusal, for showing and for adding a passkey."""
    handle, _options = challenge(units)
    assert check(units, Ceremony("sign-in", handle, ""), answer) == passkeys.REFUSED
    account = account_of(units, tenant)
    with units.identify() as door:
        begun = passkeys.begin_enrolment(door, account, bound="s", site=SITE)
        with pytest.raises(WrongPasskey):
            given = Ceremony("enrol", begun.handle, "s")
            passkeys.add_passkey(door, account, given, answer, "Ring", site=SITE, origin=ORIGIN)


@pytest.mark.parametrize("step", [0, -1])
def test_a_counter_that_does_not_rise_tells_of_a_copy(units: Units, tenant: Made, letters: Letters, step: int) -> None:
    """The passkey is refused from then on, though its signature holds; its owner gets a mail."""
    device = Authenticator(count=7)
    enrol(units, tenant, device)
    for given, told in ((1, tenant.email), (step, passkeys.SUSPECT), (5, passkeys.SUSPECT)):
        handle, options = challenge(units)
        assert check(units, Ceremony("sign-in", handle, ""), device.get(options, step=given)) == told
    with units.identify() as door:
        account = account_of(units, tenant)
        assert passkeys.list_passkeys(door, account.user_id)[0].suspect_at is not None
        assert factors.state(door, account.user_id).any
    assert letters.last(tenant.email)["Subject"] == "Your second factors were used or changed"


def test_a_passkey_without_a_counter_goes_on(units: Units, tenant: Made) -> None:
    """Those that are kept on several devices always say 0, which is no sign of a copy."""
    device = Authenticator()
    enrol(units, tenant, device)
    for _ in range(3):
        handle, options = challenge(units)
        assert check(units, Ceremony("sign-in", handle, ""), device.get(options, step=0)) == tenant.email


def test_a_passkey_belongs_to_one_account(units: Units, tenant: Made, tenants: Callable[[], Made]) -> None:
    """It cannot be added to another account, nor be shown as another's second factor, nor be removed by another."""
    device, other = Authenticator(), tenants()
    enrol(units, tenant, device)
    with pytest.raises(WrongPasskey):
        enrol(units, other, device)
    device.user_handle = account_of(units, tenant).user_id.bytes
    handle, options = challenge(units, "factor", "waiting")
    given = Ceremony("factor", handle, "waiting")
    assert check(units, given, device.get(options), other) == passkeys.REFUSED
    with units.identify() as door:
        mine = passkeys.list_passkeys(door, account_of(units, tenant).user_id)[0]
        from app.core.errors import NotFound

        with pytest.raises(NotFound):
            passkeys.remove_passkey(door, account_of(units, other), mine.id, origin=ORIGIN)


def test_a_lock_holds_for_passkeys_too(units: Units, tenant: Made) -> None:
    """While failures have locked the address, its passkey opens nothing either."""
    device = Authenticator()
    enrol(units, tenant, device)
    for _ in range(5):
        with units.identify() as door:
            accounts.count_failure(door, tenant.email, ORIGIN)
            door.commit()
    handle, options = challenge(units)
    with pytest.raises(TooManyRequests):
        check(units, Ceremony("sign-in", handle, ""), device.get(options))


def test_a_last_factor_takes_the_recovery_codes_with_it(units: Units, tenant: Made) -> None:
    """After the only passkey is removed, the password alone signs in again."""
    enrol(units, tenant, Authenticator())
    account = account_of(units, tenant)
    with units.identify() as door:
        mine = passkeys.list_passkeys(door, account.user_id)[0]
        passkeys.remove_passkey(door, account, mine.id, origin=ORIGIN)
        assert factors.state(door, account.user_id).codes_left == 0
        door.commit()
    with units.identify() as door:
        assert isinstance(accounts.sign_in(door, tenant.email, tenant.password, origin=ORIGIN), accounts.SignIn)
