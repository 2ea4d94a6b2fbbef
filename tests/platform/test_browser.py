"""A member of staff in a real browser: from the one-use link to a tenant suspended and resumed."""

import re
import threading
import time
from collections.abc import Iterator

import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from app.core.settings import settings
from app.db.units import Units
from app.factory import create_platform_app
from app.local import ports
from app.services.censuses import count_tenant
from app.services.stewards import Steward
from tests.peers.axe import faults_on
from tests.peers.browsers import Window, chromium, window
from tests.peers.staff import StaffMember, invited
from tests.peers.standstills import stuck_scan_of
from tests.peers.tenants import Made
from tests.platform.test_commands import NAMED, ask_for_a_plan, run, stuck_effect_of
from tests.platform.test_tenants import agree_on_texts, use_texts

pytestmark = pytest.mark.browser
PASSWORD = "four words make one"


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """The system's Chromium."""
    with chromium(chromium_path) as started:
        yield started


@pytest.fixture
def address(environment: object, postgres_server: object) -> Iterator[str]:
    """Where the staff's console is served."""
    port = ports.free_port()
    base = f"http://localhost:{port}"
    app: Flask = create_platform_app(settings().model_copy(update={"platform_base_url": base}))
    server = make_server("127.0.0.1", port, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield base
    server.shutdown()


def enrol(seen: Window, address: str, units: Units) -> None:
    """Follow a new link, and sign in with the next code."""
    token = invited(units, f"browser-{time.time_ns()}@example.com")
    seen.page.goto(f"{address}/welcome/{token}")
    email = seen.page.locator("h1 + p").inner_text().split()[1].rstrip(".")
    factor = pyotp.TOTP(seen.page.input_value("input[name=factor]"))
    seen.page.fill("#name", "Ola Ops")
    seen.page.fill("#password", PASSWORD)
    seen.page.fill("#code", factor.now())
    seen.page.get_by_role("button", name="Make the account").click()
    seen.page.fill("#email", email)
    seen.page.fill("#password", PASSWORD)
    seen.page.fill("#code", factor.at(int(time.time()) + 30))
    seen.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(seen.page.get_by_role("heading", name="Tenants")).to_be_visible()


def test_suspended_and_resumed(
    browser: Browser, address: str, platform_units: Units, worker_units: Units, tenant: Made
) -> None:
    """Found by its slug, suspended with a reason, resumed; the page follows by itself, its policy refuses nothing."""
    with window(browser) as seen:
        enrol(seen, address, platform_units)
        seen.page.fill("#filter-search", tenant.slug)
        seen.page.get_by_role("button", name="Apply").click()
        expect(seen.page.locator("a.row-link")).to_have_count(1)
        seen.page.locator("a.row-link").click()
        for verb, status in (("Suspend", "Suspended"), ("Resume", "Trial")):
            seen.page.get_by_role("link", name=verb, exact=True).click()
            seen.page.get_by_role("button", name=f"{verb} the tenant").click()
            expect(seen.page.locator(".field-error")).to_contain_text("1 to 500 characters")
            seen.page.fill("#reason", "Invoice unpaid")
            seen.page.get_by_role("button", name=f"{verb} the tenant").click()
            expect(seen.page.get_by_text("is on record since")).to_be_visible()
            while Steward(worker_units).run_once():
                pass
            expect(seen.page.locator(".head-meta")).to_contain_text(status)
        assert [said for said in seen.complaints if "status of 422" not in said] == []


def paths_of(member: StaffMember, made: Made, worker_units: Units) -> list[str]:
    """Return every page of staff, with a tenant that shows what there is to show: all but one order carried out."""
    agree_on_texts(made, worker_units, 1000)
    use_texts(made, 950)
    count_tenant(worker_units, made.id)
    ask_for_a_plan(made)
    run("tenants", "resume", str(made.id), *NAMED, "--no-wait")
    own = f"/tenants/{made.id}"
    page = member.get(own).text
    found = [
        re.search(rf"{own}/{part}", page) for part in ("overrides/[0-9a-f-]{36}/end", "requests/[0-9a-f-]{36}/approval")
    ]
    acts = (
        "",
        "/plan",
        "/deletion",
        "/overrides/new",
        f"/effects/{stuck_effect_of(made)}/retry",
        f"/scans/{stuck_scan_of(made)}/cancellation",
    )
    every = ["/tenants", "/tenants?search=nothing-like-it", "/requests", "/erasures", "/log", "/state"]
    every += [own + act for act in acts]
    return [*every, *(each.group() for each in found if each is not None), "/login"]


def look_at(
    browser: Browser, address: str, units: Units, seen_as: tuple[int, str], paths: list[str]
) -> list[tuple[str, object]]:
    """Return what is wrong with pages: what axe-core finds, how far they are too wide, targets too small."""
    wrong: list[tuple[str, object]] = []
    with window(browser, width=seen_as[0], theme=seen_as[1], csp=False) as seen:
        enrol(seen, address, units)
        for path in paths:
            seen.page.goto(address + path)
            found = (faults_on(seen.page), max(seen.overflow(), 0), seen.small_targets())
            wrong += [(path, each) for each in found if each]
    return wrong


LIGHT, DARK = (1440, "light"), (390, "dark")


def test_every_page_of_staff_passes_axe(
    browser: Browser, address: str, platform_units: Units, worker_units: Units, member: StaffMember, tenant: Made
) -> None:
    """Each page fits its window, has targets that a finger meets, and passes axe-core, in one theme or the other."""
    paths = paths_of(member, tenant, worker_units)
    assert len(paths) == 15
    assert look_at(browser, address, platform_units, LIGHT, paths[::2]) == []
    assert look_at(browser, address, platform_units, DARK, paths[1::2]) == []


@pytest.mark.prove
def test_every_page_of_staff_passes_axe_in_both(
    browser: Browser, address: str, platform_units: Units, worker_units: Units, member: StaffMember, tenant: Made
) -> None:
    """Each page does so in both themes, on a desk and on a telephone."""
    paths = paths_of(member, tenant, worker_units)
    for seen_as in (LIGHT, DARK, (1440, "dark"), (390, "light")):
        assert look_at(browser, address, platform_units, seen_as, paths) == [], seen_as
