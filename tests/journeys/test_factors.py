"""A person's path: a passkey instead of the password, an authenticator app beside it, a tenant that asks for them."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.test_first_scan import sign_up
from tests.peers.apps import AuthenticatorApp
from tests.peers.browsers import window
from tests.peers.consoles import Console

pytestmark = [pytest.mark.browser, pytest.mark.temporal, pytest.mark.graph]
EMAIL, PASSWORD = "nora@keyring.example.com", "a-lantern-in-the-harbour"
PLATFORM = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def test_passkey_app_and_demand(console: Console, browser: Browser) -> None:
    """Add a passkey, sign in by it alone; set up an app, sign in by password and code; ask all members for a factor."""
    with window(browser) as desk:
        page = desk.page
        device = page.context.new_cdp_session(page)
        device.send("WebAuthn.enable")
        device.send("WebAuthn.addVirtualAuthenticator", {"options": PLATFORM})
        sign_up(page, console, "keyring")
        add_passkey(console, page)
        sign_in_by_passkey(console, page)
        app = set_up_app(console, page)
        sign_in_by_code(console, page, app)
        ask_everybody(console, page)
        assert desk.complaints == []


def sign_out(console: Console, page: Page) -> None:
    """Sign out from the account's menu."""
    page.goto(f"{console.address}/t/keyring/")
    page.get_by_label(f"Account of {EMAIL}").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def add_passkey(console: Console, page: Page) -> None:
    """Name it, let the device make it, keep the recovery codes."""
    page.goto(f"{console.address}/account")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Office laptop")
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    assert len(page.locator("#recovery-codes").inner_text().split()) == 10
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "sentinel-recovery-codes.txt"
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("Office laptop")).to_be_visible()


def sign_in_by_passkey(console: Console, page: Page) -> None:
    """No address, no password: the device knows who one is."""
    sign_out(console, page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(f"{console.address}/t/keyring/")


def set_up_app(console: Console, page: Page) -> AuthenticatorApp:
    """Type the key into an app, and its code into the page."""
    page.goto(f"{console.address}/account")
    page.get_by_role("link", name="Set up an authenticator app").click()
    app = AuthenticatorApp(page.locator("#totp-key").inner_text())
    page.get_by_label("Code", exact=True).fill(app.code(datetime.now(UTC)))
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("The authenticator app is set up.")).to_be_visible()
    return app


def sign_in_by_code(console: Console, page: Page, app: AuthenticatorApp) -> None:
    """The password leads to the second step, where a wrong code is told and a right one goes on."""
    sign_out(console, page)
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.get_by_label("Code").fill(app.code(datetime.now(UTC), 1))  # the present one counted already
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{console.address}/t/keyring/")


def ask_everybody(console: Console, page: Page) -> None:
    """Settings tell who has a factor; the demand is made and stands."""
    page.get_by_role("link", name="Sign-in", exact=True).click()
    expect(page.get_by_text(re.compile("1 of 1 member has"))).to_be_visible()
    page.get_by_role("link", name="Ask everybody for one").click()
    page.get_by_role("button", name="Ask from now on").click()
    expect(page.get_by_text("A second factor is asked for from now on.")).to_be_visible()
    page.get_by_role("link", name="Scans", exact=True).click()
    expect(page).to_have_url(f"{console.address}/t/keyring/scans")
