"""Accounts in the browser: confirming an address, a forgotten password, one's own account, the mailbox."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.settings import settings
from app.factory import create_app
from tests.peers.letters import Letters
from tests.peers.visitors import Person

NEW = "another sentence nobody guesses"


@pytest.fixture
def elsewhere(newcomer: Callable[[], Person]) -> Callable[[], Person]:
    """Makes newcomers with an address of their own, since mail is capped per address."""

    def make() -> Person:
        made = newcomer()
        made.client.environ_base["REMOTE_ADDR"] = f"198.51.{random.randrange(256)}.{random.randrange(256)}"
        return made

    return make


@pytest.fixture
def owner(elsewhere: Callable[[], Person]) -> Person:
    """Somebody who has just signed up."""
    return elsewhere().sign_up()


def test_a_newcomer_comes_in_by_the_link_and_the_password(elsewhere: Callable[[], Person], letters: Letters) -> None:
    """Signing up opens no session; opening the link changes nothing; its form takes the password, and works once."""
    newcomer = elsewhere().sign_up(confirmed=False)
    assert newcomer.get("/tenants").status_code == 303
    link = letters.link(newcomer.email)
    for _ in range(2):
        assert "Confirm the address" in newcomer.get(link).text
    assert newcomer.post(link, {"password": "another sentence altogether"}).status_code == 422
    assert newcomer.get("/tenants").status_code == 303
    newcomer.confirm(link)
    assert "The address is confirmed." in newcomer.get(newcomer.at("/")).text
    assert newcomer.get(link).status_code == 404


def test_an_address_that_nobody_confirmed_signs_in_like_an_unknown_one(
    elsewhere: Callable[[], Person], letters: Letters
) -> None:
    """The right password gets the words of a wrong one, and the link once more, within bounds."""
    newcomer = elsewhere().sign_up(confirmed=False)
    answers = []
    for email in (newcomer.email, f"x{newcomer.email}"):
        newcomer.get("/login")
        answer = newcomer.post("/login", {"email": email, "password": newcomer.password})
        answers.append((answer.status_code, "The address or the password is wrong." in answer.text))
    assert answers == [(422, True), (422, True)]
    assert len(letters.to(newcomer.email)) == 2


def test_signing_up_again_says_the_same_as_any_mail_page(
    owner: Person, elsewhere: Callable[[], Person], letters: Letters
) -> None:
    """Known and unknown get the very same page, no session, a slug that is taken then, and each a mail."""
    other = elsewhere()
    pages = []
    for number, email in enumerate((owner.email, f"x{owner.email}")):
        slug = f"{owner.slug}-{number}"
        other.get("/signup")
        form = {"company": "X", "slug": slug, "name": "Eve", "email": email, "password": NEW}
        answer = other.post("/signup", dict(form))
        assert answer.status_code == 202 and "Check your mail" in answer.text
        assert "Taken" in other.get(f"/signup/slug?slug={slug}").text
        pages.append(answer.text)
    assert pages[0] == pages[1]
    assert owner.email not in pages[0] and "account" not in pages[0]
    assert other.get("/tenants").status_code == 303
    assert letters.last(owner.email)["Subject"] == "You already have an account"


def test_a_forgotten_password_is_asked_for_alike(owner: Person, elsewhere: Callable[[], Person]) -> None:
    """A known and an unknown address get the very same page."""
    pages = []
    for address in (owner.email, f"nobody-{owner.email}"):
        visitor = elsewhere()
        visitor.get("/reset")
        answer = visitor.post("/reset", {"email": address})
        pages.append((answer.status_code, answer.text))
    assert pages[0] == pages[1] and pages[0][0] == 202


def test_a_reset_signs_out_everywhere(owner: Person, elsewhere: Callable[[], Person], letters: Letters) -> None:
    """A weak password comes back with its error; a good one ends the old session and opens a new one."""
    visitor = elsewhere()
    visitor.get("/reset")
    visitor.post("/reset", {"email": owner.email})
    link = letters.link(owner.email)
    visitor.get(link)
    weak = visitor.post(link, {"password": "password1234"})
    assert weak.status_code == 422 and "On the list of common passwords" in weak.text
    assert owner.get(owner.at("/")).status_code == 200
    assert visitor.post(link, {"password": NEW}).location == "/login"
    assert owner.get(owner.at("/")).status_code == 303
    visitor.get("/login")
    assert visitor.post("/login", {"email": owner.email, "password": NEW}).status_code == 303
    assert visitor.get(owner.at("/")).status_code == 200


def test_links_ask_for_their_forms_token(owner: Person, letters: Letters) -> None:
    """A forged POST on a mailed link redeems nothing."""
    link = letters.link(owner.email)
    owner.token = ""
    assert owner.post(link).status_code == 400
    assert owner.get(link).status_code == 200


@pytest.mark.parametrize("path", ["/account", "/account/name", "/account/password", "/account/email"])
def test_ones_account_asks_who_one_is(owner: Person, elsewhere: Callable[[], Person], path: str) -> None:
    """Whoever is not signed in is sent to do so and comes back; whoever is sees their own."""
    answer = elsewhere().get(path)
    assert answer.status_code == 303 and answer.location.endswith(f"/login?next={path}")
    assert owner.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/account/sessions/end", "/account/name", "/account/email/withdrawal"])
def test_acts_on_an_account_ask_who_one_is(owner: Person, elsewhere: Callable[[], Person], path: str) -> None:
    """A POST without a session changes nothing."""
    visitor = elsewhere()
    visitor.get("/login")
    assert "/login" in visitor.post(path, {"name": "Eve"}).location


def test_a_new_name_shows_everywhere(owner: Person) -> None:
    """The account and the audit log of the tenant tell of it; a line break is refused."""
    owner.get("/account/name")
    bad = owner.post("/account/name", {"name": "Vera\r\nBcc: x"})
    assert bad.status_code == 422 and "on one line" in bad.text
    assert owner.post("/account/name", {"name": "Vera Nova"}).location == "/account"
    page = owner.get("/account").text
    assert "Vera Nova" in page and "The name was changed" in page
    assert "membership" in owner.get(owner.at("/audit")).text


def test_a_password_is_changed_with_the_present_one(owner: Person, elsewhere: Callable[[], Person]) -> None:
    """The present one is asked for, the errors stand beside their fields, and the other sessions end."""
    other = elsewhere()
    other.get("/login")
    other.post("/login", {"email": owner.email, "password": owner.password})
    owner.get("/account/password")
    wrong = owner.post("/account/password", {"current": "wrong", "new": NEW})
    assert wrong.status_code == 422 and "This is not your password" in wrong.text
    assert owner.post("/account/password", {"current": owner.password, "new": NEW}).location == "/account"
    assert "1 other session ended" in owner.get("/account").text
    assert other.get("/account").status_code == 303


def test_guessing_the_present_password_locks(owner: Person) -> None:
    """A stolen session cannot try passwords without end."""
    owner.get("/account/password")
    answers = [owner.post("/account/password", {"current": "wrong", "new": NEW}).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]


def test_sessions_are_listed_and_ended(owner: Person, elsewhere: Callable[[], Person]) -> None:
    """Each with device, address and last use; ended one by one, or all others."""
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    others = [elsewhere() for _ in range(3)]
    for other in others:
        other.get("/login")
        form: dict[str, object] = {"email": owner.email, "password": owner.password}
        other.post("/login", form, headers={"User-Agent": agent})
    page = owner.get("/account").text
    assert page.count("Firefox on Linux</strong>") == 3
    assert str(others[0].client.environ_base["REMOTE_ADDR"]) in page
    ends = [part.split("/end")[0] for part in page.split('action="/account/sessions/')[1:]]
    ids = [each for each in ends if len(each) == 36]
    assert len(ids) == 3
    assert owner.post(f"/account/sessions/{ids[0]}/end").status_code == 303
    assert sorted(other.get("/account").status_code for other in others) == [200, 200, 303]
    owner.get("/account")
    owner.post("/account/sessions/end")
    assert [other.get("/account").status_code for other in others] == [303] * 3
    assert owner.get("/account").status_code == 200
    assert owner.post(f"/account/sessions/{ids[0]}/end").status_code == 404


def test_an_address_is_changed_from_both_sides(owner: Person, letters: Letters) -> None:
    """The account shows which side has confirmed; giving up makes both links void."""
    new = f"new-{owner.email}"
    owner.get("/account/email")
    for form, problem in (
        ({"email": "nonsense", "password": owner.password}, "Not an e-mail address"),
        ({"email": owner.email, "password": owner.password}, "This is your present address"),
        ({"email": new, "password": "wrong"}, "This is not your password"),
    ):
        answer = owner.post("/account/email", dict(form))
        assert answer.status_code == 422 and problem in answer.text
    owner.post("/account/email", {"email": new, "password": owner.password})
    assert f"Changing to {new}" in owner.get("/account").text
    given_up = letters.link(new)
    owner.post("/account/email/withdrawal")
    owner.get(given_up)
    assert owner.post(given_up).status_code == 404

    owner.get("/account/email")
    owner.post("/account/email", {"email": new, "password": owner.password})
    for link in (letters.link(new), letters.link(owner.email)):
        owner.get(link)
        assert owner.post(link).location == "/account"
    page = owner.get("/account").text
    assert f"The address is now {new}." in page and "Changing to" not in page


def test_there_is_no_mailbox_elsewhere(owner: Person) -> None:
    """Without a folder for mail the page is not found, and nothing leads to it."""
    assert owner.get("/mailbox").status_code == 404
    assert "/mailbox" not in owner.get(owner.at("/")).text


def test_the_mailbox_shows_mail_in_development(
    environment: dict[str, str], built: object, monkeypatch: pytest.MonkeyPatch, letters: Letters
) -> None:
    """Where make run chose a folder, its messages are listed and read, their links can be followed."""
    monkeypatch.setenv("DEMONSTRATION", "true")
    monkeypatch.setenv("LOCAL_MAIL_DIR", str(letters.folder))
    settings.cache_clear()
    app = create_app()
    visitor = Person(app, settings().base_url.replace("http://", "https://"))
    visitor.client.environ_base["REMOTE_ADDR"] = f"198.51.{random.randrange(256)}.{random.randrange(256)}"
    assert "No mail yet" in visitor.get("/mailbox").text
    visitor.sign_up(confirmed=False)
    link = letters.link(visitor.email)
    visitor.confirm(link)
    page = visitor.get("/mailbox").text
    assert visitor.email in page
    visitor.get("/reset")
    assert 'href="/mailbox"' in visitor.post("/reset", {"email": visitor.email}).text
    where = next(p.split('"')[0] for p in page.split('href="/mailbox/')[1:] if visitor.email in p.split("</tr>")[0])
    assert f'{link}"' in visitor.get(f"/mailbox/{where}").text
    assert visitor.get("/mailbox/00000000-0000-0000-0000-000000000000").status_code == 404
    app.extensions["sentinel"].units.engines.dispose()


def test_a_mail_folder_is_for_development_alone(environment: dict[str, str], tmp_path: Path) -> None:
    """An installation that is no demonstration refuses to start with one."""
    from pydantic import ValidationError

    from app.core.settings import Settings

    with pytest.raises(ValidationError, match="LOCAL_MAIL_DIR"):
        Settings(local_mail_dir=tmp_path)  # type: ignore[call-arg]
