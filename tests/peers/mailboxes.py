"""The mailbox page of a console, as a person reads it."""

import time

from playwright.sync_api import Page, expect

from tests.peers.consoles import Console


def follow(console: Console, page: Page, subject: str, to: str = "") -> None:
    """Open the newest message with this subject (to this address) in the mailbox, and follow its link."""
    deadline = time.monotonic() + 60
    page.goto(f"{console.address}/mailbox")
    rows = page.locator("tbody tr").filter(has_text=subject).filter(has_text=to)
    while not rows.count() and time.monotonic() < deadline:
        page.wait_for_timeout(300)
        page.get_by_role("link", name="Look again").click()
    rows.first.get_by_role("link").click()
    page.locator(".letter a[href^='http']").first.click()


def confirm(console: Console, page: Page, email: str, password: str) -> None:
    """Follow the link that a newcomer was mailed, and come in by the password."""
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    follow(console, page, "Confirm your e-mail address", email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Confirm the address").click()
    expect(page.get_by_text("The address is confirmed.")).to_be_visible()
