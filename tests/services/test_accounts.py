"""Signing up and in: what is told to whom, and how failures are counted."""

import time

import pytest

from app.core.errors import Invalid, TooManyRequests, Unauthenticated
from app.core.settings import settings
from app.db import people
from app.db.units import Units
from app.services import accounts, confirmations, mails
from app.services.accounts import AddressInUse, Origin, Signup
from app.services.passwords import password_problem
from tests.peers.letters import Letters, text_of
from tests.peers.tenants import Made, attempt, somewhere


def sign_up(units: Units, email: str, slug: str, name: str = "Nina") -> None:
    with units.identify() as door:
        signup = Signup("Acme", slug, name, email, "a sentence nobody guesses")
        master = settings().master
        try:
            accounts.sign_up(door, signup, master_key=master, origin=somewhere()).commit()
        except AddressInUse:
            door.commit()
            raise


def test_signing_up_with_a_known_address_makes_nothing_and_tells_its_holder(
    units: Units, tenant: Made, letters: Letters
) -> None:
    """The holder gets a mail; no tenant is made, and the password stays."""
    with pytest.raises(AddressInUse):
        sign_up(units, tenant.email.upper(), f"{tenant.slug}-2")
    with units.identify() as door:
        assert accounts.check_slug(door, f"{tenant.slug}-2") is None
    assert letters.last(tenant.email)["Subject"] == "You already have an account"
    assert attempt(units, tenant.email, tenant.password) is None


def test_known_and_unknown_addresses_lock_alike(units: Units, tenant: Made) -> None:
    """Five wrong passwords lock an address for a while, whether or not anybody has it."""
    for address in (tenant.email, f"nobody-{tenant.slug}@example.com"):
        answers = [attempt(units, address, "wrong") for _ in range(6)]
        assert answers == [Unauthenticated] * 5 + [TooManyRequests]
    assert attempt(units, tenant.email, tenant.password) is TooManyRequests


@pytest.mark.usefixtures("real_costs")
def test_a_wrong_password_takes_as_long_for_an_unknown_address(units: Units, tenant: Made) -> None:
    """In processor time the quickest of each differ by less than a third: both compute one argon2 hash."""
    spent: dict[str, list[float]] = {"known": [], "unknown": []}
    for n in range(8):
        for kind, address in (("known", tenant.email), ("unknown", f"nobody{n // 4}-{tenant.slug}@example.com")):
            if n == 4:
                attempt(units, tenant.email, tenant.password)
            start = time.process_time()
            assert attempt(units, address, "wrong") is Unauthenticated
            spent[kind].append(time.process_time() - start)
    known, unknown = (min(times) for times in spent.values())
    assert abs(known - unknown) < max(known, unknown) / 3


def test_the_lock_sends_its_holder_the_way_to_unlock(units: Units, tenant: Made, letters: Letters) -> None:
    """The link of the unlock mail forgets the failures, once."""
    for _ in range(5):
        attempt(units, tenant.email, "wrong")
    token = letters.link(tenant.email).rsplit("/", 1)[1]
    with units.identify() as door:
        confirmations.unlock(door, token, origin=somewhere())
        door.commit()
    assert attempt(units, tenant.email, tenant.password) is None


def test_asking_for_a_reset_does_the_same_for_any_address(
    units: Units, tenant: Made, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request writes one row and looks nobody up; the mailer finds out, and an unknown address gets nothing."""
    unknown = f"nobody-{tenant.slug}@example.com"
    asked: list[tuple[object, ...]] = []
    real = people.request_mail
    monkeypatch.setattr(
        people, "request_mail", lambda s, *a, **k: (asked.append((a[0], *k.values())), real(s, *a, **k))[1]
    )
    for address in (tenant.email, unknown):
        with units.identify() as door:
            confirmations.request_reset(door, address, origin=Origin("198.51.100.200", None, None))
            door.commit()
    assert asked[0] == asked[1]
    assert letters.last(tenant.email)["Subject"] == "Set a new password"
    assert letters.to(unknown) == []


def test_a_name_cannot_break_a_line(units: Units, tenant: Made) -> None:
    """CR, LF and their Unicode relatives in a name are refused."""
    for name in ("Eve\r\nBcc: all@example.com", "Eve\nX", "Eve\u2028X", "Eve\x85X", "Eve\x00"):
        with pytest.raises(Invalid) as refused:
            sign_up(units, f"eve-{tenant.slug}@example.com", f"{tenant.slug}-3", name)
        assert "name" in refused.value.fields


def test_markup_in_a_name_is_text_in_the_mail(units: Units, tenant: Made, letters: Letters) -> None:
    """The HTML part escapes what a person chose."""
    email = f"mark-{tenant.slug}@example.com"
    sign_up(units, email, f"{tenant.slug}-4", "<b>Mark</b>")
    message = letters.last(email)
    assert "&lt;b&gt;Mark&lt;/b&gt;" in text_of(message, "html") and "<b>Mark" not in text_of(message, "html")
    assert "<b>Mark</b>" in text_of(message)


def test_mail_is_capped_per_recipient_and_kind(units: Units, tenant: Made, letters: Letters) -> None:
    """Three an hour of a kind; the request is answered alike when nothing is sent."""
    for _ in range(6):
        with units.identify() as door:
            confirmations.request_reset(door, tenant.email, origin=somewhere())
            door.commit()
    assert len([m for m in letters.to(tenant.email) if m["Subject"] == "Set a new password"]) == 3


def test_mail_is_capped_per_client(units: Units, tenant: Made) -> None:
    """One address has at most 60 mails an hour sent, to whomever."""
    client = somewhere().address
    with units.identify() as door:
        sent = [
            mails.request(door, "reset", f"{n}-{tenant.slug}@example.com", user_id=None, client=client)
            for n in range(62)
        ]
    assert sent == [True] * 60 + [False] * 2


def test_mails_that_anybody_can_ask_for_silence_no_telling(units: Units, tenant: Made) -> None:
    """Where address and client had all that they may, the holder is still told of a new password, thrice an hour."""
    client = somewhere().address
    asked = ["reset", "verification", "known", "unlock", "email-old", "email-new", "sso-link"] * 3
    with units.identify() as door:

        def sent(kind: str, recipient: str) -> bool:
            return mails.request(door, kind, recipient, user_id=None, client=client)

        assert [sent(kind, tenant.email) for kind in asked].count(True) == 20
        others = [sent("reset", f"{n}-{tenant.slug}@example.com") for n in range(60)]
        assert others[-1] is False and sent("reset", tenant.email) is False
        assert [sent("password-changed", tenant.email) for _ in range(4)] == [True] * 3 + [False]


@pytest.mark.parametrize(
    "password",
    ["football1234!", "Password2024!!", "iloveyouiloveyou", "qwertyuiop123456", "aaaaaaaaaaaaaaa", "short", "x" * 300],
)
def test_known_and_short_passwords_are_refused(password: str) -> None:
    """A password of the 30,000 commonest is refused, also with digits around it or repeated."""
    assert password_problem(password) is not None


def test_a_sentence_will_do() -> None:
    """Length is enough: no composition rules."""
    assert password_problem("the grey cat sleeps on the stove") is None
