"""A person's path at the end of a quota: near it, warned by mail, refused, given more, going on."""

import subprocess
import sys
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.test_first_scan import ask, issue_key, sign_up
from tests.peers.browsers import window
from tests.peers.consoles import Console
from tests.peers.workers import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.temporal, pytest.mark.graph, pytest.mark.timeout(240)]
SLUG = "jetty"


def agree(console: Console, tenant_id: str, scans: int) -> None:
    """Agree on so many scans a month, as staff do on the command line."""
    command = [sys.executable, "-m", "app.cli", "tenants", "override", tenant_id, "quota", "scans", str(scans)]
    more = ["--reason", "agreed by telephone", "--as", "sam@example.com"]
    done = subprocess.run([*command, *more], cwd=ROOT, env=dict(console.settings), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def scan_a_letter(console: Console, page: Page) -> None:
    """Paste a text and have it scanned."""
    page.goto(f"{console.address}/t/{SLUG}/documents/new")
    page.get_by_role("textbox", name="Name").fill("Letter")
    page.get_by_label("Text").fill("My card is 4532-1234-5678-9010")
    page.get_by_role("button", name="Scan text").click()


def find_mail(console: Console, page: Page, subject: str) -> None:
    """Wait until the mailbox shows a message with this subject."""
    deadline = time.monotonic() + 30
    page.goto(f"{console.address}/mailbox")
    while not page.get_by_role("link", name=subject).count() and time.monotonic() < deadline:
        page.wait_for_timeout(300)
        page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("link", name=subject).first).to_be_visible()


def test_near_a_quota_warned_refused_given_more(console: Console, browser: Browser) -> None:
    """Five of six scans warn, the seventh is refused by a page that leads to the plan; with more agreed on, it runs."""
    with window(browser) as desk:
        page = desk.page
        sign_up(page, console, SLUG)
        key = issue_key(page, console, SLUG)
        _status, told, _kind = ask(f"{console.address}/api/v1/tenants/current", key)
        agree(console, str(told["id"]), 6)
        for _ in range(5):
            scan_a_letter(console, page)
            expect(page).to_have_url(f"{console.address}/t/{SLUG}/scans/{page.url.rsplit('/', 1)[1]}")
        find_mail(console, page, f"Company {SLUG}: 80 % of scans a month used")
        scan_a_letter(console, page)
        find_mail(console, page, f"Company {SLUG}: 100 % of scans a month used")

        scan_a_letter(console, page)
        expect(page.get_by_role("heading", name="Scans a month: nothing left")).to_be_visible()
        page.get_by_role("link", name="See the plan and get more").click()
        expect(page.get_by_role("heading", name="Plan and usage")).to_be_visible()
        expect(page.get_by_text("Scans a month: over 90 % used")).to_be_visible()
        page.get_by_role("row", name="Scans a month").get_by_role("link", name="6", exact=True).click()
        expect(page.get_by_role("heading", name="Scans that count")).to_be_visible()
        assert page.locator("main tbody tr").count() == 6

        agree(console, str(told["id"]), 10)
        scan_a_letter(console, page)
        expect(page.get_by_text("Done").first).to_be_visible(timeout=30_000)
        # The browser itself complains of the answer 429, and of nothing else.
        assert [each for each in desk.complaints if "429" not in each] == []
