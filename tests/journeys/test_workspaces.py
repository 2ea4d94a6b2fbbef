"""A workspace's path: made, given a key, scanned in, archived, restored."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.test_first_scan import ask, sign_up
from tests.peers.consoles import Console

pytestmark = [pytest.mark.browser, pytest.mark.temporal, pytest.mark.graph, pytest.mark.timeout(240)]


def issue_key(page: Page, tenant: str, workspace: str) -> str:
    """Issue a key of the workspace for assets and scans; return its secret."""
    page.goto(f"{tenant}/keys/new")
    page.get_by_role("textbox", name="Name").fill(f"Robot of {workspace}")
    page.get_by_label("Workspace", exact=True).select_option(label=workspace)
    for scope in ("assets: read", "assets: write", "scans: read", "scans: write"):
        page.get_by_label(re.compile(f"^{scope}")).check()
    page.get_by_role("button", name="Issue key").click()
    expect(page.get_by_text("cannot be shown again")).to_be_visible()
    found = re.search(r"sntl_key_[0-9A-Za-z]{36}", page.content())
    assert found is not None
    return found.group(0)


def test_a_workspace_keeps_its_scans_apart(console: Console, browser: Browser) -> None:
    """A scan by a workspace's key shows in it and not in the other; archived its key is refused, restored it works."""
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    sign_up(page, console, "quayside")
    tenant, api = f"{console.address}/t/quayside", f"{console.address}/api/v1"

    page.get_by_role("link", name="Workspaces").click()
    page.get_by_role("link", name="New workspace").click()
    page.get_by_label("Name").fill("Staging")
    page.get_by_role("button", name="Make workspace").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Staging")
    staging = page.url

    staging_key, default_key = issue_key(page, tenant, "Staging"), issue_key(page, tenant, "Default")
    added = ask(f"{api}/assets", staging_key, {"name": "Harbour letter", "text": "My card is 4532-1234-5678-9010"})[1]
    status, scan, _ = ask(f"{api}/scans", staging_key, {"asset_id": added["id"], "tool": "text"})
    assert status == 202
    assert ask(f"{api}/scans/{scan['id']}", staging_key)[0] == 200
    assert ask(f"{api}/scans/{scan['id']}", default_key)[0] == 404

    page.goto(f"{tenant}/scans")
    page.get_by_label("Workspace").select_option(label="Default")
    expect(page.get_by_text("No scan like that")).to_be_visible()
    page.get_by_label("Workspace").select_option(label="Staging")
    expect(page.get_by_role("link", name="Harbour letter").first).to_be_visible()
    assert "workspace_id=" in page.url

    page.goto(staging)
    expect(page.get_by_text("Robot of Staging")).to_be_visible()
    page.get_by_role("link", name="Archive workspace").click()
    page.get_by_label("Name of the workspace").fill("Staging")
    page.get_by_role("button", name="Archive workspace").click()
    expect(page.get_by_role("button", name="Restore")).to_be_visible()
    refused = ask(f"{api}/scans", staging_key)
    assert refused[0] == 403 and str(refused[1]["type"]).endswith("/workspace-archived")
    assert ask(f"{api}/scans", default_key)[0] == 200
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("is in use again")).to_be_visible()
    assert ask(f"{api}/scans", staging_key)[0] == 200
    assert complaints == []
