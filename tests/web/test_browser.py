"""The kit in a real browser: themes, widths, keys, live regions, and what assistive technology needs."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask, Response, make_response, request
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from app.serving.kit import asset
from tests.peers.axe import faults_of
from tests.peers.browsers import chromium, window
from tests.web.gallery import PAGES, gallery_app

pytestmark = pytest.mark.browser
KINDS = ("signup-invalid", "overview", "key-invalid", "scans", "scan-running", "usage", "graph", "error-404")
LIVE = 'data-live hx-get="/live/part" hx-trigger="live:poll" hx-target="this" hx-swap="outerMorph"'


@dataclass(frozen=True)
class Gallery:
    """The gallery as served; `tags` are those with which its live region was asked for."""

    address: str
    tags: list[str | None]

    def page(self, name: str) -> str:
        return f"{self.address}/gallery/{name}"


def _region(text: str) -> str:
    return f'<div id="r" {LIVE if text != "three" else ""}><input id="typed"><b>{text}</b></div>'


def _serve_region(app: Flask) -> list[str | None]:
    """Serve a region that changes with its third answer and ends with its fourth."""
    tags: list[str | None] = []

    @app.get("/live")
    def whole() -> str:
        scripts = "".join(f'<script src="{asset(name)}" defer></script>' for name in ("htmx.js", "live.js"))
        return f"<!doctype html><title>x</title>{scripts}{_region('one')}"

    @app.get("/live/part")
    def part() -> Response:
        tags.append(request.headers.get("If-None-Match"))
        text = "one" if len(tags) < 3 else "two" if len(tags) < 4 else "three"
        response = make_response(_region(text))
        response.set_etag(text)
        return response.make_conditional(request)

    return tags


@pytest.fixture(scope="module")
def gallery() -> Iterator[Gallery]:
    """The gallery, served."""
    app = gallery_app()
    tags = _serve_region(app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Gallery(f"http://127.0.0.1:{server.port}", tags)
    server.shutdown()


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """The system's Chromium."""
    with chromium(chromium_path) as started:
        yield started


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (768, "dark"), (390, "light")])
def test_no_page_scrolls_sideways_or_breaks_its_policy(
    browser: Browser, gallery: Gallery, width: int, theme: str
) -> None:
    """At each width every page fits its window, loads all it asks for, and is refused nothing."""
    with window(browser, width=width, theme=theme) as seen:
        for name in PAGES:
            seen.page.goto(gallery.page(name))
            assert seen.overflow() <= 0, name
            assert seen.small_targets() == [], name
        assert seen.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_each_kind_pass_axe(browser: Browser, gallery: Gallery, theme: str) -> None:
    """WCAG 2.2 AA as far as axe-core can tell: contrast in both themes, names, roles, landmarks."""
    assert faults_of(browser, [gallery.page(name) for name in KINDS], 1440, theme) == []


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_passes_axe(browser: Browser, gallery: Gallery, width: int, theme: str) -> None:
    """The same for every page at two widths."""
    assert faults_of(browser, [gallery.page(name) for name in PAGES], width, theme) == []


def test_a_live_region_follows_without_losing_what_is_typed(browser: Browser, gallery: Gallery) -> None:
    """It asks with the tag it holds, takes 304 for unchanged, keeps focus and typing, and ends when told."""
    with window(browser) as seen:
        seen.page.goto(f"{gallery.address}/live")
        seen.page.fill("#typed", "half a sen")
        expect(seen.page.locator("b")).to_have_text("three")
        assert seen.page.input_value("#typed") == "half a sen"
        assert seen.page.evaluate("document.activeElement.id") == "typed"
        assert gallery.tags == [None, '"one"', '"one"', '"two"']
        expect(seen.page.locator("[data-live]")).to_have_count(0)


def test_the_theme_follows_the_system_until_one_is_chosen(browser: Browser, gallery: Gallery) -> None:
    """A choice is kept over pages and reloads; the system's is followed again when asked."""
    with window(browser, theme="dark") as seen:
        seen.page.goto(gallery.page("overview"))
        theme = "document.documentElement.dataset.bsTheme"
        assert seen.page.evaluate(theme) == "dark"
        seen.page.get_by_label("Account of").click()
        seen.page.get_by_role("button", name="Light").click()
        seen.page.goto(gallery.page("scans"))
        assert seen.page.evaluate(theme) == "light"
        seen.page.emulate_media(color_scheme="light")
        seen.page.get_by_label("Account of").click()
        seen.page.get_by_role("button", name="System").click()
        seen.page.emulate_media(color_scheme="dark")
        expect(seen.page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_the_keyboard_reaches_everything(browser: Browser, gallery: Gallery) -> None:
    """Keys move through rows, open the list of keys and the main action, and are left alone while typing."""
    with window(browser) as seen:
        page = seen.page
        page.goto(gallery.page("scans"))
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("j")
        page.keyboard.press("ArrowDown")
        rows = page.locator("[data-row-link]")
        assert rows.nth(1).evaluate("e => e === document.activeElement")
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#keys")).to_be_hidden()
        page.keyboard.press("n")
        page.wait_for_url("**/scans/new")
        page.goto(gallery.page("guard"))
        page.locator("textarea").fill("")
        page.keyboard.type("no? never/")
        assert page.locator("textarea").input_value() == "no? never/"
        assert page.url == gallery.page("guard")


def test_a_secret_is_copied_and_a_name_unlocks(browser: Browser, gallery: Gallery) -> None:
    """Copying says so to screen readers; a dangerous button waits for the typed name."""
    with window(browser) as seen:
        page = seen.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(gallery.page("key-created"))
        page.get_by_role("button", name="Copy the key").click()
        expect(page.locator("#announcer")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == page.locator("#secret-value").text_content()
        page.goto(gallery.page("key-revocation"))
        button = page.get_by_role("button", name="Revoke key")
        expect(button).to_be_disabled()
        page.locator("#name").fill("Checkout service")
        expect(button).to_be_enabled()


def test_the_slug_follows_the_company_until_typed(browser: Browser, gallery: Gallery) -> None:
    """A proposal is made from the name; one's own choice is left alone."""
    with window(browser) as seen:
        page = seen.page
        page.goto(gallery.page("signup"))
        page.fill("#company", "Søren & Daughters GmbH")
        expect(page.locator("#slug")).to_have_value("s-ren-daughters-gmbh")
        page.fill("#slug", "mine")
        page.fill("#company", "Another")
        expect(page.locator("#slug")).to_have_value("mine")


def test_the_navigation_opens_on_a_phone_without_scripts(browser: Browser, gallery: Gallery) -> None:
    """Where the side navigation hides, a link opens it and another closes it."""
    context = browser.new_context(viewport={"width": 390, "height": 800}, java_script_enabled=False)
    page = context.new_page()
    page.goto(gallery.page("overview"))
    link = page.get_by_role("link", name="Findings", exact=True)
    expect(link).to_be_hidden()
    page.get_by_label("Open the navigation").click()
    expect(link).to_be_visible()
    page.get_by_label("Close the navigation").click()
    expect(link).to_be_hidden()
    context.close()
