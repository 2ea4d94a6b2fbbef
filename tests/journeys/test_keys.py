"""An administrator's path with a key: made, used, rotated, the old secret seen in use and ended, revoked."""

import re
import urllib.request
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.test_first_scan import issue_key, sign_up
from tests.peers.consoles import Console

pytestmark = [pytest.mark.browser, pytest.mark.temporal, pytest.mark.graph, pytest.mark.timeout(240)]


def call(console: Console, secret: str, agent: str = "nightly/2.1") -> int:
    """Call the JSON API as a program that says who it is."""
    headers = {"X-API-Key": secret, "User-Agent": agent}
    request = urllib.request.Request(f"{console.address}/api/v1/scans", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def until_shown(page: Page, words: str) -> None:
    """Reload the page until it says so: uses are written a second after they happen."""
    for _ in range(120):
        if page.get_by_text(words).count():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError(words)


def test_a_key_from_making_to_revoking(console: Console, browser: Browser) -> None:
    """The old secret works beside the new one, is seen to be in use, and ends by hand; then the key is revoked."""
    page = browser.new_context().new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    sign_up(page, console, "pier")
    old = issue_key(page, console, "pier")
    assert call(console, old) == 200
    page.get_by_role("link", name="Journey", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Journey")
    key_url = page.url
    until_shown(page, "nightly/2.1")

    page.get_by_role("link", name="Rotate").click()
    expect(page.get_by_label("The old secret works for")).to_have_value("24")
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.get_by_text("cannot be shown again")).to_be_visible()
    found = re.search(r"sntl_key_[0-9A-Za-z]{36}", page.locator("#secret-value").inner_text())
    assert found is not None and found.group(0) != old
    new = found.group(0)
    assert (call(console, old, "forgotten/0.9"), call(console, new)) == (200, 200)

    page.goto(key_url)
    until_shown(page, "forgotten/0.9")
    page.get_by_role("link", name="End the old secret").click()
    page.get_by_label("Name of the key").fill("Journey")
    page.get_by_role("button", name="End the old secret").click()
    expect(page).to_have_url(key_url)
    assert (call(console, old), call(console, new)) == (401, 200)

    page.get_by_role("link", name="Revoke").click()
    page.get_by_label("Name of the key").fill("Journey")
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("Journey was revoked")).to_be_visible()
    assert call(console, new) == 401
    assert complaints == []
    assert old not in console.log("web") and new not in console.log("web")
