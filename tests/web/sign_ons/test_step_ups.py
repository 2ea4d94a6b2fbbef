"""Proving once more who one is where a provider opened the session: there, anew, as the same person."""

import time
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest
from werkzeug.test import TestResponse

from app.db.units import Home
from app.services import audit, connections, role_maps
from tests.peers.companies import Company
from tests.peers.federations import onward
from tests.peers.visitors import Person
from tests.plugins.servers import Database


@pytest.fixture
def inside(company: Company) -> Person:
    """An administrator who came in through the provider; it did not say when they signed in there."""
    with company.made.unit(Home.ACCOUNT) as unit:
        role_maps.save_roles(unit, claim="", pairs=[], default="admin")
        unit.commit()
    person, answer = company.arrive()
    person.slug = company.made.slug
    assert answer.status_code == 303, answer.text
    return person


def ask(person: Person, wanted: str) -> str:
    """Go to a page that wants a fresh proof, and on to the provider; return the address there."""
    led = person.get(wanted)
    assert led.status_code == 303 and led.location == f"/account/confirmation?next={wanted}", led.location
    assert "Sign in anew at" in person.get(led.location).text
    return onward(person.post("/account/confirmation/provider", {"next": wanted}))


def come_back(company: Company, person: Person, url: str, name: str = "ada", **claims: object) -> TestResponse:
    """Sign in there, and come back."""
    email = f"{name}@{company.domain}"
    return person.get(company.peer.sign_in(url, f"sub-{name}-{company.domain}", email, **claims))


def events(company: Company) -> list[str]:
    """What stands in the tenant's log about confirmations."""
    with company.made.unit(Home.ACCOUNT) as unit:
        found = audit.list_events(unit).rows
    return [event.action for event in found if event.action.startswith("session.confirm")]


def test_a_fresh_proof_at_the_provider_opens_the_page(company: Company, inside: Person) -> None:
    """It is asked to let nobody through unasked; then one is where one was, under another token, and on record."""
    wanted = inside.at("/keys/new")
    url = ask(inside, wanted)
    asked = parse_qs(urlsplit(url).query)
    assert asked["prompt"] == ["login"] and asked["max_age"] == ["0"] and asked["code_challenge_method"] == ["S256"]
    before = inside.client.get_cookie("__Host-sentinel", domain="localhost")
    assert come_back(company, inside, url, auth_time=int(time.time())).location == wanted
    assert inside.get(wanted).status_code == 200
    after = inside.client.get_cookie("__Host-sentinel", domain="localhost")
    assert before is not None and after is not None and before.value != after.value
    assert events(company) == ["session.confirm"]


def test_a_sign_in_is_as_fresh_as_the_provider_says(company: Company, inside: Person) -> None:
    """Whoever was let through by a session there has proved nothing now; whoever signed in there a moment ago has."""
    for age, status in ((3600, 303), (5, 200)):
        person, _answer = company.arrive(auth_time=int(time.time()) - age)
        assert person.get(inside.at("/keys/new")).status_code == status


@pytest.mark.parametrize(
    ("auth_time", "reason"),
    [
        (None, "did not say when"),
        ("now", "did not say when"),
        (True, "did not say when"),
        (1e300, "did not say when"),
        (-3600, "without asking you again"),
        (3600, "without asking you again"),
    ],
)
def test_an_answer_that_is_not_fresh_is_refused(
    company: Company, inside: Person, auth_time: object, reason: str
) -> None:
    """A time that is missing, none, old or to come opens nothing; the page says what to do, and one stays signed in."""
    wanted = inside.at("/keys/new")
    said = int(time.time()) + auth_time if type(auth_time) is int else auth_time
    answer = come_back(company, inside, ask(inside, wanted), auth_time=said)
    if said in ("now", 1e300):  # no number that a token may hold there at all
        assert answer.status_code == 403 and inside.get(wanted).status_code == 303
        return
    assert answer.status_code == 403 and reason in answer.text and "Set a password by mail" in answer.text
    assert inside.get(wanted).status_code == 303 and inside.get(inside.at("/")).status_code == 200
    assert events(company) == ["session.confirm-refused"]


def test_somebody_else_at_the_provider_confirms_nothing(company: Company, inside: Person) -> None:
    """The same subject must come back: a colleague's fresh sign-in neither confirms nor signs the colleague in."""
    wanted = inside.at("/keys/new")
    answer = come_back(company, inside, ask(inside, wanted), name="eve", auth_time=int(time.time()))
    assert answer.status_code == 403 and "as somebody else" in answer.text
    assert inside.get(wanted).status_code == 303
    assert all(row.email != f"eve@{company.domain}" for row in company.members())


def test_what_was_begun_elsewhere_confirms_nothing(company: Company, inside: Person) -> None:
    """An answer works once, and in the browser and the session that began it alone."""
    url, wanted = ask(inside, inside.at("/keys/new")), inside.at("/keys/new")
    other, _answer = company.arrive()
    assert come_back(company, other, url, auth_time=int(time.time())).status_code == 403
    assert other.get(wanted).status_code == 303
    email = f"ada@{company.domain}"
    back = company.peer.sign_in(url, f"sub-ada-{company.domain}", email, auth_time=int(time.time()))
    assert inside.get(back).status_code == 303
    assert inside.get(back).status_code == 403


def test_a_session_that_has_ended_is_not_brought_back(company: Company, inside: Person) -> None:
    """Signed out on the way, the answer opens nothing."""
    url = ask(inside, inside.at("/keys/new"))
    inside.get(inside.at("/"))
    inside.post("/logout")
    assert come_back(company, inside, url, auth_time=int(time.time())).status_code == 403
    assert inside.get(inside.at("/")).location.startswith("/login")


@pytest.mark.parametrize("change", ["off", "moved"])
def test_a_connection_that_has_changed_confirms_nothing(company: Company, inside: Person, change: str) -> None:
    """Another issuer's word counts for nothing, as that of one that was switched off."""
    url = ask(inside, inside.at("/keys/new"))
    with company.made.unit(Home.ACCOUNT) as unit:
        found = connections.get_connection(unit)
        if change == "off":
            found.status = "tested"
        else:
            found.issuer = "https://login.evil.example"
        unit.commit()
    answer = come_back(company, inside, url, auth_time=int(time.time()))
    assert answer.status_code == 403 and inside.get(inside.at("/keys/new")).status_code == 303


def test_one_comes_back_to_this_site_alone(company: Company, inside: Person) -> None:
    """Another site's address as the page that was asked for is dropped."""
    inside.get("/account/confirmation?next=" + quote("https://evil.example/"))
    url = onward(inside.post("/account/confirmation/provider", {"next": "https://evil.example/"}))
    assert come_back(company, inside, url, auth_time=int(time.time())).location == "/account"


def test_a_persons_own_account_is_out_of_the_providers_reach(company: Company, inside: Person) -> None:
    """Confirmed at the provider or not, factors, one's data and its end ask for something of one's own."""
    assert (
        come_back(company, inside, ask(inside, inside.at("/keys/new")), auth_time=int(time.time())).status_code == 303
    )
    for path in ("/account/authenticator", "/account/deletion"):
        led = inside.get(path)
        if led.status_code == 200:  # the page asks only when its form is sent
            led = inside.post(path)
        assert "wanted=own" in led.location, path
        page = inside.get(led.location).text
        assert "Set one by mail" in page and "Sign in anew at" not in page


def test_whoever_showed_something_of_their_own_shows_that(
    company: Company, postgres_server: Database, newcomer: Callable[[], Person], inside: Person
) -> None:
    """A provider's word does not refresh a session in which the person's own password was shown."""
    with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
        connection.execute(
            "UPDATE auth.sessions SET methods = '{password,sso}' WHERE user_id = "
            "(SELECT id FROM auth.users WHERE email = %s)",
            [f"ada@{company.domain}"],
        )
    page = inside.get("/account/confirmation").text
    assert "Sign in anew at" not in page and f"The password of ada@{company.domain}" in page
    assert inside.post("/account/confirmation/provider").status_code == 404
