"""A newcomer's path: sign up, issue a key, use it, have something scanned, see what was found; beside a neighbour."""

import json
import re
import urllib.request
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.peers.consoles import Console
from tests.peers.mailboxes import confirm

pytestmark = [pytest.mark.browser, pytest.mark.temporal, pytest.mark.graph, pytest.mark.timeout(240)]
PASSWORD = "a-lantern-in-the-harbour"
CARD = "My credit card is 4532-1234-5678-9010"


def sign_up(page: Page, console: Console, slug: str) -> None:
    """Fill in the form as a newcomer does, and land in the tenant."""
    page.goto(f"{console.address}/signup")
    page.get_by_label("Company").fill(f"Company {slug}")
    page.get_by_label("Short name").fill(slug)
    page.get_by_label("Your name").fill("Nora Newcomer")
    page.get_by_label("E-mail").fill(f"nora@{slug}.example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    confirm(console, page, f"nora@{slug}.example.com", PASSWORD)
    expect(page).to_have_url(f"{console.address}/t/{slug}/")


def issue_key(page: Page, console: Console, slug: str) -> str:
    """Issue a key with every scope; return the secret that is shown once."""
    page.goto(f"{console.address}/t/{slug}/keys/new")
    page.get_by_role("textbox", name="Name").fill("Journey")
    for box in page.locator("main input[type=checkbox]").all():
        box.check()
    page.get_by_role("button", name="Issue key").click()
    expect(page.get_by_text("cannot be shown again")).to_be_visible()
    found = re.search(r"sntl_key_[0-9A-Za-z]{36}", page.content())
    assert found is not None
    page.goto(f"{console.address}/t/{slug}/keys")
    assert found.group(0) not in page.content()
    return found.group(0)


def ask(url: str, key: str, body: object = None) -> tuple[int, dict[str, object], str]:
    """Call the JSON API as curl does; return status, document and media type."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer), answer.headers.get_content_type()
    except HTTPError as error:
        return error.code, json.load(error), error.headers.get_content_type()


def test_from_sign_up_to_findings_beside_a_neighbour(console: Console, browser: Browser) -> None:
    """A newcomer does the product's main job on real engines; a second tenant in another browser sees nothing of it."""
    one, two = browser.new_context(), browser.new_context()
    page, neighbour = one.new_page(), two.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    sign_up(page, console, "harbour")
    sign_up(neighbour, console, "lagoon")

    key = issue_key(page, console, "harbour")
    status, verdict, _ = ask(f"{console.address}/api/v1/process", key, {"user_input": CARD, "user_id": "customer_123"})
    assert (status, verdict["blocked"], verdict["pii_detected"]) == (200, True, True)
    wrong = ask(f"{console.address}/api/v1/process", key[:-1] + ("A" if key[-1] != "A" else "B"), {"user_input": CARD})
    assert (wrong[0], wrong[2]) == (401, "application/problem+json")

    page.goto(f"{console.address}/t/harbour/assets/new")
    page.get_by_label("Name").fill("Demonstration")
    page.get_by_label("Address").fill(console.target)
    page.get_by_role("button", name="Add asset").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Demonstration")
    asset_url = page.url
    page.get_by_role("button", name=re.compile("scan", re.IGNORECASE)).first.click()
    expect(page).to_have_url(re.compile(r"/scans/[0-9a-f-]{36}"))
    scan_url = page.url
    expect(page.locator("main").get_by_text("No Content-Security-Policy").first).to_be_visible(timeout=90_000)
    page.reload()
    expect(page.locator("main").get_by_text("No Content-Security-Policy").first).to_be_visible()
    page.get_by_role("link", name="No Content-Security-Policy").first.click()
    expect(page).to_have_url(re.compile(r"/findings/[0-9a-f-]{36}"))
    finding_url = page.url
    page.goto(f"{console.address}/t/harbour/graph")
    for _ in range(90):
        if page.get_by_text("No Content-Security-Policy").count():
            break
        page.wait_for_timeout(1_000)
        page.reload()
    assert page.get_by_text("No Content-Security-Policy").count()
    page.goto(f"{console.address}/t/harbour/usage")
    expect(page.locator("main").get_by_text(re.compile(r"\d+ calls?")).first).to_be_visible()

    for url in (asset_url, scan_url, finding_url):
        answer = neighbour.goto(url)
        assert answer is not None and answer.status == 404
        answer = neighbour.goto(url.replace("/t/harbour/", "/t/lagoon/"))
        assert answer is not None and answer.status == 404
    neighbours_key = issue_key(neighbour, console, "lagoon")
    scan_id = scan_url.rsplit("/", 1)[-1]
    assert ask(f"{console.address}/api/v1/scans/{scan_id}", key)[0] == 200
    assert ask(f"{console.address}/api/v1/scans/{scan_id}", neighbours_key)[0] == 404
    assert complaints == []
    for secret in (key, CARD, PASSWORD):
        assert secret not in console.log("web") + console.log("worker")
