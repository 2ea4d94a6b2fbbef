"""An owner's and a newcomer's path: single sign-on set up, tested, switched on, used, left; at a certified provider."""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.test_first_scan import sign_up
from tests.peers.browsers import window
from tests.peers.consoles import Console, serving
from tests.peers.dns import DnsPeer, dns_peer
from tests.peers.oidc_provider import free_address, oidc_provider
from tests.plugins.servers import Database, settings_of

pytestmark = [pytest.mark.browser, pytest.mark.temporal, pytest.mark.timeout(240)]
DOMAIN, SECRET = "harbour-works.example", "a-secret-of-the-provider's"
PEOPLE = {
    "nora": {"email": f"nora@{DOMAIN}", "email_verified": True, "name": "Nora Newcomer", "groups": ["office"]},
    "ada": {"email": f"ada@{DOMAIN}", "email_verified": True, "name": "Ada Lindqvist", "groups": ["security"]},
    "eve": {"email": "eve@elsewhere.example", "email_verified": True, "name": "Eve"},
}


@pytest.fixture
def names() -> Iterator[DnsPeer]:
    """The DNS of the company."""
    with dns_peer({}) as peer:
        yield peer


@pytest.fixture
def provider_address() -> str:
    """Where the company's provider will be."""
    return free_address()


@pytest.fixture
def database(new_database: Callable[[], Database]) -> Database:
    """A database that nobody else has touched."""
    return new_database()


@pytest.fixture
def console(
    database: Database,
    secret_variables: dict[str, str],
    temporal_address: str,
    names: DnsPeer,
    provider_address: str,
) -> Iterator[Console]:
    """Web and worker, which reach the provider and the DNS of the company."""
    variables = {
        **settings_of(database, secret_variables),
        "TEMPORAL_ADDRESS": temporal_address,
        "OUTBOUND_ALLOWED": provider_address,
        "DNS_RESOLVERS": names.address,
    }
    with tempfile.TemporaryDirectory(prefix="console-") as name:
        mail = {"DEMONSTRATION": "true", "LOCAL_MAIL_DIR": str(Path(name) / "mail")}
        with serving({**variables, **mail}, Path(name)) as running:
            yield running


def listen(page: Page, console: Console) -> list[str]:
    """What the browser complains of on our own pages, but for refusals that are meant."""
    complaints: list[str] = []

    def note(message: object) -> None:
        where = message.location["url"]  # type: ignore[attr-defined]
        meant = "responded with a status of 4" in message.text  # type: ignore[attr-defined]
        if message.type in ("error", "warning") and where.startswith(console.address) and not meant:  # type: ignore[attr-defined]
            complaints.append(message.text)  # type: ignore[attr-defined]

    page.on("console", note)
    return complaints


def at_provider(page: Page, name: str) -> None:
    """Sign in at the provider, and let it tell us."""
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    page.get_by_role("button", name="Continue").click()


def test_from_set_up_to_signing_out(
    console: Console, browser: Browser, database: Database, names: DnsPeer, provider_address: str, tmp_path: Path
) -> None:
    """A stranger to both finishes the set-up; a newcomer comes in with the role of their group and leaves both."""
    with window(browser) as desk, window(browser, width=390, theme="dark") as phone, ExitStack() as provider:
        complaints = [listen(desk.page, console), listen(phone.page, console)]
        sign_up(desk.page, console, "harbour")
        with psycopg.connect(database.superuser) as connection:
            connection.execute("UPDATE control.tenants SET plan = 'enterprise'")
        register(desk.page, console, provider, provider_address, tmp_path)
        prove_domain(desk.page, names)
        map_and_try(desk.page)
        come_in_and_leave(phone.page, console)
        assert phone.overflow() <= 0
        refuse_a_stranger(phone.page, console)
        assert complaints == [[], []]
        for secret in (SECRET, "id_token_hint"):
            assert secret not in console.log("web") + console.log("worker")


def register(page: Page, console: Console, stack: ExitStack, address: str, folder: Path) -> None:
    """Copy what the page shows to the provider, and what the provider gives into the page."""
    page.get_by_role("link", name="Sign-in", exact=True).click()
    page.get_by_role("button", name="Set up single sign-on").click()
    back = page.locator("#redirect-uri").inner_text()
    home = page.locator("#signed-out-uri").inner_text()
    assert re.fullmatch(re.escape(console.address) + r"/sso/[0-9a-f-]{36}/callback", back)
    client = {"client_id": "sentinel", "client_secret": SECRET, "redirect_uris": [back]}
    client |= {"post_logout_redirect_uris": [home]}
    started = stack.enter_context(oidc_provider(address, [client], PEOPLE, folder / "provider.log"))
    page.get_by_label("Issuer").fill(f"{started.issuer}/")
    page.get_by_label("Client ID").fill("sentinel")
    page.get_by_label("Client secret").fill(SECRET)
    page.get_by_role("button", name="Check and save").click()
    expect(page.get_by_text(f"The provider calls itself {started.issuer}, not").first).to_be_visible()
    page.get_by_label("Issuer").fill(started.issuer)
    page.get_by_label("Client secret").fill(SECRET)
    page.get_by_role("button", name="Check and save").click()
    expect(page.get_by_text("The provider answers as it should")).to_be_visible()


def prove_domain(page: Page, names: DnsPeer) -> None:
    """Add the domain, put its record into the DNS, and see it proven without a reload."""
    page.get_by_role("link", name="Add a domain").click()
    page.get_by_role("textbox", name="Domain").fill(DOMAIN)
    page.get_by_role("button", name="Add domain").click()
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("no such record")).to_be_visible()
    record = page.locator("#value-1").inner_text()
    names.script[page.locator("#name-1").inner_text(), "TXT"] = [[f'"{record}"']]
    page.wait_for_timeout(8_000)  # the worker looks again after eight seconds at the earliest
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Proven", exact=True)).to_be_visible()


def map_and_try(page: Page) -> None:
    """Map a group, try it as oneself, switch it on."""
    page.get_by_role("link", name="Sign-in", exact=True).first.click()
    page.get_by_role("link", name="Go on with the set-up").click()
    page.get_by_label("Claim optional").fill("groups")
    page.get_by_label("Roles optional").fill("security = operator\noffice = viewer")
    page.get_by_label("Everybody else").select_option(label="is refused")
    page.get_by_role("button", name="Save the roles").click()
    page.get_by_role("button", name="Test sign-in").click()
    at_provider(page, "nora")
    expect(page.get_by_text("The last test went well")).to_be_visible()
    expect(page.get_by_text("Role: viewer")).to_be_visible()
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("Single sign-on is on.")).to_be_visible()


def come_in_and_leave(page: Page, console: Console) -> None:
    """Type the address, sign in at the company, look around, sign out here and there."""
    page.goto(f"{console.address}/login")
    page.get_by_role("link", name="Continue with your company").click()
    page.get_by_label("Work e-mail").fill(f"Ada@{DOMAIN}")
    page.keyboard.press("Enter")
    at_provider(page, "ada")
    expect(page).to_have_url(f"{console.address}/t/harbour/")
    page.goto(f"{console.address}/t/harbour/scans/new")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    answer = page.goto(f"{console.address}/t/harbour/keys/new")
    assert answer is not None and answer.status == 403
    page.goto(f"{console.address}/t/harbour/")
    page.get_by_label(f"Account of ada@{DOMAIN}").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign out there too").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page).to_have_url(re.compile(re.escape(f"{console.address}/sso/signed-out")))
    expect(page.get_by_text("Here and at your company’s sign-in.")).to_be_visible()


def refuse_a_stranger(page: Page, console: Console) -> None:
    """Somebody whose address is outside the company's domains gets no further than the provider."""
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("link", name="Continue with your company").click()
    page.get_by_label("Work e-mail").fill(f"eve@{DOMAIN}")
    page.keyboard.press("Enter")
    at_provider(page, "eve")
    expect(page.get_by_role("heading", name="You were not signed in")).to_be_visible()
    expect(page.get_by_text("eve@elsewhere.example is outside the e-mail domains")).to_be_visible()
