"""A person's path: signing up, confirming the address, forgetting the password, being signed out page."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.peers.browsers import window
from tests.peers.consoles import Console
from tests.peers.mailboxes import confirm, follow

pytestmark = pytest.mark.browser
EMAIL, FIRST, SECOND = "ada@example.com", "the grey cat sleeps on the stove", "the stove is cold since Tuesday"


def test_from_signing_up_to_a_new_password(console: Console, browser: Browser) -> None:
    """Sign up, mailbox, confirm; forget the password, set a new one; the session from before is refused."""
    with window(browser) as desk, window(browser, width=390, theme="dark") as phone:
        sign_up_and_confirm(console, desk.page)
        set_another_password(console, phone.page)
        desk.page.get_by_role("link", name="Scans", exact=True).click()
        expect(desk.page.get_by_role("heading", name="Sign in")).to_be_visible()
        sign_in_and_look(console, phone.page)
        assert phone.overflow() <= 0 and phone.small_targets() == []
        assert desk.complaints == phone.complaints == []


def sign_up_and_confirm(console: Console, page: Page) -> None:
    """Come into the tenant by the mailed link and the password."""
    page.goto(f"{console.address}/signup")
    page.get_by_label("Company").fill("Northwind Traders")
    page.get_by_label("Short name").fill("northwind")
    page.get_by_label("Your name").fill("Ada Lindqvist")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(FIRST)
    page.get_by_role("button", name="Create account").click()
    confirm(console, page, EMAIL, FIRST)
    expect(page).to_have_url(f"{console.address}/t/northwind/")


def set_another_password(console: Console, page: Page) -> None:
    """Forget the password on another device, by keyboard at the end."""
    page.goto(f"{console.address}/login")
    page.get_by_role("link", name="Forgotten your password?").click()
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    follow(console, page, "Set a new password")
    page.get_by_label("New password").fill(SECOND)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The password is set")).to_be_visible()


def sign_in_and_look(console: Console, page: Page) -> None:
    """Sign in with the new password; the account tells what was done to it."""
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(SECOND)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(f"{console.address}/t/northwind/")
    page.get_by_label(f"Account of {EMAIL}").click()
    page.get_by_role("link", name="My account").click()
    expect(page.get_by_text("A new password was set by a mailed link")).to_be_visible()
    expect(page.get_by_text("This one")).to_be_visible()
