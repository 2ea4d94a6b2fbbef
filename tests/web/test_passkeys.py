"""Passkeys in the browser's forms: added, used at each door, removed; and the tenant's demand for a factor."""

import html
from collections.abc import Callable

from werkzeug.test import TestResponse

from tests.peers.authenticators import Authenticator
from tests.peers.visitors import Person


def options(person: Person, path: str) -> str:
    """Ask for a challenge as the script does."""
    answer = person.post(path)
    assert answer.mimetype == "application/json", answer.text
    return answer.text


def add(person: Person, device: Authenticator, name: str = "Ring") -> TestResponse:
    """Add the device's passkey."""
    person.get("/account/passkeys/new")
    made = device.create(options(person, "/account/passkeys/challenge"))
    return person.post("/account/passkeys", {"name": name, "credential": made})


def test_a_passkey_is_added_listed_and_removed(owner: Person) -> None:
    """The first one shows recovery codes, the second one does not; each stands in the account by its name."""
    assert "Recovery codes" in add(owner, Authenticator()).text
    assert add(owner, Authenticator(), "Phone").location == "/account"
    page = owner.get("/account").text
    assert "Ring" in page and "Phone" in page and "A passkey was added" in page and "10 left" in page
    removal = page.split('href="/account/passkeys/')[2].split('"')[0]
    assert "Remove Ring" in owner.get(f"/account/passkeys/{removal}").text
    assert owner.post(f"/account/passkeys/{removal}").location == "/account"
    assert "Remove the passkey Ring" not in owner.get("/account").text
    assert owner.get(f"/account/passkeys/{removal}").status_code == 404


def test_a_passkey_signs_in_and_leads_on(owner: Person, newcomer: Callable[[], Person]) -> None:
    """Without a password, from the sign-in page to the page that was asked for; the account names the way."""
    device = Authenticator()
    add(owner, device)
    other = newcomer()
    other.get(f"/login?next={owner.at('/scans')}")
    answer = device.get(options(other, "/login/passkey/challenge"))
    assert other.post("/login/passkey", {"credential": answer, "next": owner.at("/scans")}).location == owner.at(
        "/scans"
    )
    assert other.get(owner.at("/scans")).status_code == 200
    assert ">passkey<" in other.get("/account").text
    again = newcomer()
    again.get("/login")
    assert again.post("/login/passkey", {"credential": answer}).location.startswith("/login")
    assert "This took too long" in again.get("/login").text


def test_a_passkey_is_the_second_factor(owner: Person, newcomer: Callable[[], Person]) -> None:
    """After the password a passkey of the person's is asked for; a stranger's is refused, theirs opens the session."""
    device, stranger = Authenticator(), Authenticator()
    add(owner, device)
    other = newcomer()
    other.get("/login")
    assert other.post("/login", {"email": owner.email, "password": owner.password}).location == "/login/factor"
    assert "Use a passkey" in other.get("/login/factor").text
    refused = other.post(
        "/login/factor/passkey", {"credential": stranger.get(options(other, "/login/factor/challenge"))}
    )
    assert refused.location == "/login/factor"
    assert "was not accepted" in other.get("/login/factor").text
    answer = device.get(options(other, "/login/factor/challenge"))
    assert other.post("/login/factor/passkey", {"credential": answer}).location == "/"
    assert "password, passkey" in html.unescape(other.get("/account").text)


def test_a_passkey_confirms_who_one_is(owner: Person) -> None:
    """The session goes on under another token, back where one was."""
    device = Authenticator()
    add(owner, device)
    assert "Use a passkey" in owner.get("/account/confirmation?next=/account/recovery-codes").text
    answer = device.get(options(owner, "/account/confirmation/challenge"))
    form: dict[str, object] = {"credential": answer, "next": "/account/recovery-codes"}
    assert owner.post("/account/confirmation/passkey", form).location == "/account/recovery-codes"
    assert owner.post("/account/confirmation/passkey", form).location.startswith("/account/confirmation")


def test_the_demand_for_a_factor_is_made_by_who_has_one(owner: Person) -> None:
    """An owner without one is led to adding it; then the page says what happens, and it does."""
    assert "0 of 1 member have" in owner.get(owner.at("/sign-in")).text
    owner.get(owner.at("/sign-in/factor"))
    led = owner.post(owner.at("/sign-in/factor"), {"required": "yes"}).location
    assert led.endswith("wanted=factor") and "Add a second factor" in owner.get(led).text
    add(owner, Authenticator())
    assert "Every member has a factor" in owner.get(owner.at("/sign-in/factor")).text
    assert owner.post(owner.at("/sign-in/factor"), {"required": "yes"}).location == owner.at("/sign-in")
    page = owner.get(owner.at("/sign-in")).text
    assert "A second factor is asked for from now on" in page and "Ask no more" in page
    owner.get(owner.at("/sign-in/factor"))
    assert owner.post(owner.at("/sign-in/factor"), {"required": "no"}).location == owner.at("/sign-in")
    assert "policy" in owner.get(owner.at("/audit")).text
