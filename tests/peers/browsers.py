"""Chromium as people use it, with an ear to what its console complains of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

PATIENCE = 60_000  # milliseconds until a page shows what is expected of it
ROOTS_NEED = "--no-sandbox"  # Chromium's own sandbox does not start for root, as in CI
TOO_SMALL = """() => [...document.querySelectorAll('a[href],button,input:not([type=hidden]),select,textarea,summary')]
  .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.closest('p,.skip,svg,dd,.notice'))
  .map(e => [e.outerHTML.slice(0, 120), (e.closest('label.choice, label.tick') || e).getBoundingClientRect()])
  .filter(([_, r]) => r.height > 1 && r.height < 39.5).map(([html]) => html)"""


@dataclass
class Window:
    """One browser window of a person of their own, and its complaints: refused code, errors, failed loads."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def small_targets(self) -> list[str]:
        """Return what is to be hit and is less than 40 px high."""
        found: list[str] = self.page.evaluate(TOO_SMALL)
        return found


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """Chromium without a window, on a machine that may have other things to do."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[ROOTS_NEED])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(browser: Browser, *, width: int = 1280, theme: str = "light", csp: bool = True) -> Iterator[Window]:
    """A window with cookies of its own, of a person who wants no motion: what is looked at stands still."""
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        bypass_csp=not csp,
    )
    opened = Window(context.new_page())
    opened.page.on("console", lambda m: opened.complaints.append(m.text) if m.type in ("error", "warning") else None)
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    try:
        yield opened
    finally:
        context.close()
