"""An owner's path through the audit log: filtered, opened, taken out, and checked away from the product."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.test_first_scan import issue_key, sign_up
from tests.peers.browsers import window
from tests.peers.consoles import Console
from tests.peers.workers import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.temporal, pytest.mark.graph, pytest.mark.timeout(240)]
SLUG = "quay"


def take_out(page: Page, button: str, folder: Path) -> Path:
    """Press an export's button; return the file that the browser saved."""
    with page.expect_download() as begun:
        page.get_by_role("button", name=button).click()
    saved = folder / begun.value.suggested_filename
    begun.value.save_as(saved)
    return saved


def verify(file: Path, key: Path, heads: list[str]) -> "subprocess.CompletedProcess[str]":
    """Check a sealed export as anybody does who has the file, the key and the heads."""
    command = [sys.executable, "-m", "app.cli", "audit", "verify", str(file), "--key", str(key)]
    command += [part for head in heads for part in ("--head", head)]
    return subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)


def sealed(page: Page, address: str, folder: Path) -> tuple[list[str], Path]:
    """Return both heads and the sealed log, taken out after them, once the worker has sealed what was done."""
    for _ in range(120):
        page.goto(address)
        heads = [page.locator(f"#head-{log}") for log in ("account", "content")]
        if all(head.count() for head in heads):
            known = [head.inner_text().strip() for head in heads]
            taken = take_out(page, "Export the sealed log", folder)
            if all(action in taken.read_text() for action in ("api_key.issue", "scan.start", "tenant.rename")):
                return known, taken
        page.wait_for_timeout(500)
    raise AssertionError("it was not sealed")


def test_the_log_is_filtered_exported_and_checked(console: Console, browser: Browser, tmp_path: Path) -> None:
    """Real changes by action, person and day; a difference; CSV and NDJSON; the sealed log, whole and tampered with."""
    with window(browser) as desk:
        page, address = desk.page, f"{console.address}/t/{SLUG}/audit"
        sign_up(page, console, SLUG)
        issue_key(page, console, SLUG)
        page.goto(f"{console.address}/t/{SLUG}/documents/new")
        page.get_by_role("textbox", name="Name").fill("Letter")
        page.get_by_label("Text").fill("hello")
        page.get_by_role("button", name="Scan text").click()
        page.wait_for_url("**/scans/*")
        page.goto(f"{console.address}/t/{SLUG}/settings")
        page.get_by_role("textbox", name="Name").fill("Quay & Sons")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("The tenant is called Quay & Sons now.")).to_be_visible()

        page.goto(address)
        expect(page.get_by_text("kept for 365 days")).to_be_visible()
        who = page.get_by_label("Who", exact=True)
        owner = who.locator("option", has_text="@").first.get_attribute("value")
        page.get_by_label("What", exact=True).select_option("tenant.rename")
        who.select_option(owner)
        page.get_by_label("From", exact=True).fill("2020-01-01")
        page.get_by_role("button", name="Apply").click()
        expect(page.locator("main tbody strong")).to_have_text(["tenant.rename"])
        assert "action=tenant.rename" in page.url and "from=2020-01-01" in page.url
        page.locator("main tbody summary").click()
        expect(page.locator(".change-values").get_by_text("Quay & Sons")).to_be_visible()

        rows = take_out(page, "Export CSV", tmp_path).read_text()
        assert rows.count("tenant.rename") == 1 and "api_key.issue" not in rows
        page.get_by_role("link", name="Clear").click()
        lines = take_out(page, "Export NDJSON", tmp_path).read_text().splitlines()
        assert {"tenant.rename", "api_key.issue", "scan.start"} <= {json.loads(line)["action"] for line in lines}

        heads, log_file = sealed(page, address, tmp_path)
        with page.expect_download() as begun:
            page.get_by_role("link", name="Public key").click()
        key = tmp_path / "key.pem"
        begun.value.save_as(key)
        whole = verify(log_file, key, heads)
        assert whole.returncode == 0 and "are whole" in whole.stdout, whole.stdout + whole.stderr
        log = log_file.read_bytes().splitlines(keepends=True)
        place = next(number for number, line in enumerate(log) if b"api_key.issue" in line)
        for name, told in {
            "edit": [line.replace(b"api_key.issue", b"api_key.other") for line in log],
            "deletion": log[:place] + log[place + 1 :],
            "order": [*log[: place - 1], log[place], log[place - 1], *log[place + 1 :]],
            "truncation": log[: next(n for n, line in enumerate(log) if b'"content"' in line)],
        }.items():
            other = tmp_path / name
            other.write_bytes(b"".join(told))
            assert verify(other, key, heads).returncode == 1, name
        assert desk.complaints == []
