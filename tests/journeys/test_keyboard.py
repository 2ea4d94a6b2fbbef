"""A person's path without a mouse: sign in, issue a key, find it, revoke it, sign out."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.test_first_scan import sign_up
from tests.peers.browsers import window
from tests.peers.consoles import Console
from tests.peers.keyboards import Keyboard

pytestmark = [pytest.mark.browser, pytest.mark.temporal, pytest.mark.graph, pytest.mark.timeout(240)]
EMAIL, PASSWORD = "nora@keys.example.com", "a-lantern-in-the-harbour"


def arrived(page: Page, path: str) -> None:
    """Wait for the page with its scripts."""
    expect(page).to_have_url(re.compile(path))
    page.wait_for_load_state()


def test_by_keyboard_alone(console: Console, browser: Browser) -> None:
    """Every step is reached by Tab and done by Enter or Space; each stop on the way shows where the focus is."""
    with window(browser) as first:
        sign_up(first.page, console, "keys")
    with window(browser) as seen:
        page, hands = seen.page, Keyboard(seen.page)
        page.goto(f"{console.address}/login")
        hands.fill("E-mail", EMAIL)
        hands.fill("Password", PASSWORD)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/t/keys/$"))

        hands.press("Skip to the content")
        expect(page.locator("#content")).to_be_focused()
        page.goto(f"{console.address}/t/keys/")
        hands.press("API keys", tag="a")
        arrived(page, "/keys/keys$")
        page.keyboard.press("n")  # the page's main action
        arrived(page, "/keys/new$")
        hands.fill("Name", "By keyboard")
        hands.press("scans: read", key="Space")
        hands.press("Issue key", tag="button")
        expect(page.get_by_text("cannot be shown again")).to_be_visible()

        page.goto(f"{console.address}/t/keys/keys")
        arrived(page, "/keys/keys$")
        page.keyboard.press("j")  # the first row
        page.keyboard.press("Enter")
        arrived(page, "/keys/[0-9a-f-]{36}$")
        expect(page.get_by_role("heading", level=1)).to_contain_text("By keyboard")
        hands.press("Revoke", tag="a")
        arrived(page, "/revocation$")
        hands.fill("Name", "By keyboard")
        hands.press("Revoke", tag="button")
        expect(page.get_by_text("was revoked")).to_be_visible()

        page.wait_for_load_state()  # with its scripts
        page.keyboard.press("?")
        expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
        page.keyboard.press("Escape")
        hands.press(f"Account of {EMAIL}")
        hands.press("Sign out", tag="button")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert seen.complaints == []
