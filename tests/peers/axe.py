"""What axe-core finds on pages: WCAG 2.2 AA as far as a program can tell."""

from playwright.sync_api import Browser, Page

from app.local.assets import install_packages
from tests.peers.browsers import window
from tests.peers.checkouts import ROOT

RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]


def faults_on(page: Page) -> list[tuple[str, str]]:
    """Return what axe-core finds on the page as it is, from its top: address and rule. It must not enforce a policy.

    A page that begins at a wrong field has, by chance, something else half beneath its bar.
    """
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    install_packages(with_dev=True)
    page.evaluate((ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text())
    result = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    return [(page.url, f"{v['id']}: {v['nodes'][0]['target']}") for v in result["violations"]]


def faults_of(browser: Browser, addresses: list[str], width: int, theme: str) -> list[tuple[str, str]]:
    """Return what axe-core finds on the pages: address and rule."""
    found: list[tuple[str, str]] = []
    with window(browser, width=width, theme=theme, csp=False) as seen:
        for address in addresses:
            seen.page.goto(address)
            found += faults_on(seen.page)
    return found
