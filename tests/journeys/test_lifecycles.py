"""An owner's path when the tenant is suspended under them, and when they delete it and think better of it."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from playwright.sync_api import Browser, expect

from app.core.crypto import CachedKeyRing
from app.core.ids import new_id
from app.db import staff
from app.db.engines import Engines, make_engine
from app.db.staff import NewOrder
from app.db.units import Units
from tests.journeys.test_first_scan import PASSWORD, ask, issue_key, sign_up
from tests.peers.browsers import Window, window
from tests.peers.consoles import Console

pytestmark = [pytest.mark.browser, pytest.mark.temporal, pytest.mark.graph, pytest.mark.timeout(240)]
SLUG = "mooring"


def order(console: Console, tenant_id: UUID, action: str, reason: str) -> None:
    """Put an order on record, with the login of the staff's console."""
    engine = make_engine(console.settings["DATABASE_PLATFORM_URL"], pool_size=1, application="journey")
    with Units(Engines(engine), CachedKeyRing(bytes(32), lambda _tenant: None)).identify() as door:
        given = NewOrder(
            new_id(), None, "sam@example.com", tenant_id, action, reason, {}, address=None, agent=None, request_id=None
        )
        assert staff.order(door.session, given)
        door.commit()
    engine.dispose()


def until_it_answers(console: Console, key: str, status: int) -> None:
    """Wait until the API answers the key's call with this status, a few seconds as a rule."""
    deadline = time.monotonic() + 60
    while (told := ask(f"{console.address}/api/v1/tenants/current", key))[0] != status:
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


@contextmanager
def nothing_admitted(console: Console, tenant_id: UUID) -> Iterator[None]:
    """Hold the lock under which the tenant's scans are admitted, so that one is not over before it can be cancelled."""
    with psycopg.connect(console.settings["DATABASE_WORKER_URL"], autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(7302, hashtext(%s))", [str(tenant_id)])
        yield


def until_status(console: Console, tenant_id: UUID, of: str, row_id: object, status: str) -> None:
    """Wait until a tenant's row has the status, which no page shows while the tenant is suspended."""
    deadline, found = time.monotonic() + 60, None
    with psycopg.connect(console.settings["DATABASE_WORKER_URL"], autocommit=True) as connection:
        connection.execute("SELECT set_config('app.current_tenant', %s, false)", [str(tenant_id)])
        while found != (status,):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
            found = connection.execute(f"SELECT status FROM {of} WHERE id = %s".encode(), [row_id]).fetchone()


@dataclass(frozen=True)
class Owner:
    """The owner at a browser, the tenant's address, its id and a key that does everything."""

    desk: Window
    here: str
    tenant_id: UUID
    key: str


@pytest.fixture(scope="module")
def owner(console: Console, browser: Browser) -> Iterator[Owner]:
    """A newcomer's tenant, which each path leaves as it found it."""
    with window(browser) as desk:
        sign_up(desk.page, console, SLUG)
        key = issue_key(desk.page, console, SLUG)
        tenant_id = UUID(str(ask(f"{console.address}/api/v1/tenants/current", key)[1]["id"]))
        yield Owner(desk, f"{console.address}/t/{SLUG}", tenant_id, key)


def test_suspended_with_a_page_open_and_resumed(console: Console, owner: Owner) -> None:
    """The next click says why, the scan is cancelled, the plan stays open to the owner; resumed, all works at once."""
    page = owner.desk.page
    page.goto(f"{owner.here}/assets/new")
    page.get_by_label("Name").fill("Demonstration")
    page.get_by_label("Address").fill(console.target)
    page.get_by_role("button", name="Add asset").click()
    with nothing_admitted(console, owner.tenant_id):
        page.get_by_role("button", name=re.compile("scan", re.IGNORECASE)).first.click()
        expect(page).to_have_url(re.compile(r"/scans/[0-9a-f-]{36}"))
        scan_url = page.url
        order(console, owner.tenant_id, "tenant.suspend", "Unpaid since May")
        until_status(console, owner.tenant_id, "control.tenants", owner.tenant_id, "suspended")
    until_it_answers(console, owner.key, 403)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Findings").click()
    expect(page.get_by_role("heading", name=f"Company {SLUG} is suspended")).to_be_visible()
    expect(page.get_by_text("Unpaid since May")).to_be_visible()
    page.get_by_role("link", name="Plan and usage").click()
    expect(page.get_by_role("heading", name="Plan and usage", level=1)).to_be_visible()

    until_status(console, owner.tenant_id, "shared.scans", scan_url.rpartition("/")[2], "cancelled")
    order(console, owner.tenant_id, "tenant.resume", "Paid")
    until_it_answers(console, owner.key, 200)
    page.goto(scan_url)
    expect(page.get_by_text("Cancelled").first).to_be_visible()
    page.get_by_role("button", name="Scan again").click()
    expect(page).not_to_have_url(scan_url)
    expect(page.get_by_text(re.compile("Running|Done")).first).to_be_visible()
    assert [each for each in owner.desk.complaints if "403" not in each] == []


def test_deleted_and_restored(console: Console, owner: Owner) -> None:
    """The slug is typed, everything is closed; signed in again the owner restores it, and all is as it was."""
    page = owner.desk.page
    letter = {"name": "Letter", "text": "My card is 4532-1234-5678-9010"}
    assert ask(f"{console.address}/api/v1/assets", owner.key, letter)[0] == 201
    page.goto(f"{owner.here}/settings")
    page.get_by_role("link", name="Delete this tenant").click()
    expect(page.get_by_text("1 API key is refused")).to_be_visible()
    expect(page.get_by_text("The plan keeps it for 365 days")).to_be_visible()
    field = page.get_by_label("Slug of the tenant")
    field.fill("another")
    expect(page.get_by_role("button", name="Delete the tenant")).to_be_disabled()
    field.fill(SLUG)
    page.get_by_role("button", name="Delete the tenant").click()
    expect(page.get_by_text(f"Company {SLUG} is deleted.")).to_be_visible()
    assert ask(f"{console.address}/api/v1/assets", owner.key)[0] == 403
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    page.goto(f"{console.address}/login")
    page.get_by_label("E-mail").fill(f"nora@{SLUG}.example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_hidden()
    page.goto(f"{owner.here}/")
    expect(page.get_by_role("heading", name=f"Company {SLUG} is deleted")).to_be_visible()
    page.get_by_role("link", name="Restore it").click()
    page.get_by_role("button", name="Restore the tenant").click()
    expect(page.get_by_text(f"Company {SLUG} is restored.")).to_be_visible()
    page.goto(f"{owner.here}/assets")
    expect(page.get_by_role("link", name="Letter")).to_be_visible()
    status, told, _kind = ask(f"{console.address}/api/v1/assets", owner.key)
    assert status == 200 and "Letter" in str(told)
    assert [each for each in owner.desk.complaints if "403" not in each] == []
