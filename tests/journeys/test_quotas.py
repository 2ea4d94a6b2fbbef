"""A person's path at the end of a quota: near it, warned by mail, refused, given more, going on."""

import dataclasses
import re
import subprocess
import sys
import time
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect
from psycopg.conninfo import conninfo_to_dict

from tests.journeys.test_first_scan import ask, issue_key, sign_up
from tests.peers.browsers import window
from tests.peers.consoles import Console
from tests.peers.quota_books import quotas_agree
from tests.peers.staff import OPS, hire
from tests.peers.workers import ROOT
from tests.plugins.servers import Database

pytestmark = [pytest.mark.browser, pytest.mark.temporal, pytest.mark.graph, pytest.mark.timeout(240)]
SLUG = "jetty"


def staff(console: Console, *arguments: str) -> None:
    """Do what staff do with a tenant's plan on the command line."""
    command = [sys.executable, "-m", "app.cli", *arguments, "--as", OPS, "--reason", "as we said"]
    done = subprocess.run(command, cwd=ROOT, env=dict(console.settings), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def agree(console: Console, tenant_id: str, scans: int) -> None:
    """Agree on so many scans a month."""
    staff(console, "tenants", "override", tenant_id, "quota", "scans", str(scans))


def ask_for(page: Page, console: Console, plan: str) -> None:
    """Ask for another plan, from the page that compares them."""
    page.goto(f"{console.address}/t/{SLUG}/plan/comparison")
    page.get_by_role("link", name=f"Ask for {plan}").click()
    page.get_by_role("button", name=f"Ask for {plan}").click()
    expect(page.get_by_text(f"{plan} is asked for")).to_be_visible()


def issue(page: Page, console: Console, name: str) -> None:
    """Issue a key with one scope."""
    page.goto(f"{console.address}/t/{SLUG}/keys/new")
    page.get_by_role("textbox", name="Name").fill(name)
    page.locator("main input[type=checkbox]").first.check()
    page.get_by_role("button", name="Issue key").click()


def scan_a_letter(console: Console, page: Page) -> None:
    """Paste a text and have it scanned."""
    page.goto(f"{console.address}/t/{SLUG}/documents/new")
    page.get_by_role("textbox", name="Name").fill("Letter")
    page.get_by_label("Text").fill("My card is 4532-1234-5678-9010")
    page.get_by_role("button", name="Scan text").click()


def find_mail(console: Console, page: Page, subject: str) -> None:
    """Wait until the mailbox shows a message with this subject."""
    deadline = time.monotonic() + 60
    page.goto(f"{console.address}/mailbox")
    while not page.get_by_role("link", name=subject).count() and time.monotonic() < deadline:
        page.wait_for_timeout(300)
        page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("link", name=subject).first).to_be_visible()


def test_near_a_quota_warned_refused_given_more_and_upgraded(
    console: Console, browser: Browser, postgres_server: Database
) -> None:
    """Five of six scans warn, the seventh is refused by a page that leads to the plan; with more agreed on, it runs.

    On a small plan the last key but one warns, one too many is refused; with a larger plan, asked for and approved, it
    is issued.
    """
    database = dataclasses.replace(postgres_server, name=database_of(console))
    hire(database.superuser)
    with window(browser) as desk:
        page = desk.page
        sign_up(page, console, SLUG)
        key = issue_key(page, console, SLUG)
        _status, told, _kind = ask(f"{console.address}/api/v1/tenants/current", key)
        agree(console, str(told["id"]), 6)
        for _ in range(5):
            scan_a_letter(console, page)
            expect(page).to_have_url(re.compile(r"/scans/[0-9a-f-]{36}$"))
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
        expect(page.locator("main tbody tr")).to_have_count(6)

        agree(console, str(told["id"]), 10)
        scan_a_letter(console, page)
        expect(page.get_by_text("Done").first).to_be_visible()

        upgrade(console, page, str(told["id"]))
        quotas_agree(database.superuser, UUID(str(told["id"])))
        # The browser itself complains of the refusals, and of nothing else.
        assert [each for each in desk.complaints if "429" not in each and "409" not in each] == []


def upgrade(console: Console, page: Page, tenant_id: str) -> None:
    """Come to the end of a small plan's keys, ask for a larger plan, and go on with it once it is approved."""
    ask_for(page, console, "Free")
    staff(console, "requests", "decide", tenant_id, "approve")
    for number in range(2, 6):
        issue(page, console, f"Key {number}")
        expect(page.get_by_text("cannot be shown again")).to_be_visible()
    find_mail(console, page, f"Company {SLUG}: 80 % of api keys used")
    issue(page, console, "Key 6")
    expect(page.get_by_role("heading", name="API keys: nothing left")).to_be_visible()
    page.get_by_role("link", name="See the plan and get more").click()
    expect(page.get_by_text("API keys: over 90 % used")).to_be_visible()
    ask_for(page, console, "Starter")
    staff(console, "requests", "decide", tenant_id, "approve", "--answer", "Welcome.")
    find_mail(console, page, f"Company {SLUG}: the plan is now Starter")
    issue(page, console, "Key 6")
    expect(page.get_by_text("cannot be shown again")).to_be_visible()


def database_of(console: Console) -> str:
    """Return the name of the database that the console's tenants are in."""
    return str(conninfo_to_dict(console.settings["DATABASE_URL"])["dbname"])
