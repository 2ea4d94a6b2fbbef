"""Pictures of every page of the demonstration tenant: `make screenshots`, or `python -m tests.screenshots [FOLDER]`.

Without a folder only the README's picture is taken, docs/overview.png; with one every page goes there, at three widths
in both themes.
"""

import secrets
import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, Page

from app.db.migrate import migrate
from app.local import ports, roles
from app.local.graph import GraphServer
from app.local.postgres import SUPERUSER
from app.local.postgres import start as start_postgres
from app.local.temporal import TemporalServer
from tests.peers.browsers import chromium, window
from tests.peers.consoles import ROOT, Console, serving
from tests.plugins.servers import MIGRATED, Database, settings_of

EMAIL = "demo@example.com"
PAGES = (
    *("keys", "keys/new", "assets", "assets/new", "documents/new", "scans", "scans/new"),
    *("findings", "graph", "guard", "usage", "usage/calls", "audit"),
)
WIDTHS = (1440, 768, 390)


def take(folder: Path | None) -> None:
    """Start everything, fill the demonstration tenant, and take the pictures."""
    with tempfile.TemporaryDirectory(prefix="shots-") as name:
        state = Path(name)
        state.chmod(0o755)
        passwords = {login: secrets.token_urlsafe(16) for login in (*roles.LOGINS, SUPERUSER)}
        postgres = start_postgres(state / "pg", passwords, log=state / "postgres.log", throwaway=True)
        temporal = TemporalServer(ports.free_port(), ports.free_port(), None)
        temporal.spawn(state / "temporal.log")
        try:
            roles.bootstrap(postgres.superuser_url, passwords)
            database = Database(postgres, MIGRATED)
            migrate(database.owner)
            temporal.wait()
            _take(database, temporal.address, state, folder)
        finally:
            temporal.kill()
            postgres.kill()


def _take(database: Database, temporal: str, state: Path, folder: Path | None) -> None:
    keys = {name: b64encode(secrets.token_bytes(32)).decode() for name in ("SECRET_KEY", "MASTER_KEY", "KEY_PEPPER")}
    password = secrets.token_urlsafe(16)
    graph = GraphServer(state / "graph", secrets.token_urlsafe(16), ports.free_port(), ports.free_port())
    graph.spawn(state / "graph.log")
    try:
        graph.wait()
        variables = {
            **settings_of(database, keys),
            "TEMPORAL_ADDRESS": temporal,
            "NEO4J_URI": graph.uri,
            "NEO4J_USER": "root",
            "NEO4J_PASSWORD": graph.password,
            "NEO4J_DATABASE": "sentinel",
            "DEMONSTRATION": "true",
            "DEMONSTRATION_EMAIL": EMAIL,
            "DEMONSTRATION_PASSWORD": password,
        }
        with serving(variables, state) as console:
            _fill(console, variables)
            with chromium("/usr/bin/chromium") as browser:
                _photograph(browser, console, password, folder)
    finally:
        graph.kill()


def _fill(console: Console, variables: dict[str, str]) -> None:
    environment = {**variables, "BASE_URL": console.address, "DEMONSTRATION_TARGETS": console.targets}
    subprocess.run([sys.executable, "-m", "app.cli", "demonstration"], cwd=ROOT, env=environment, check=True)


def _photograph(browser: Browser, console: Console, password: str, folder: Path | None) -> None:
    for theme in ("light", "dark"):
        for width in WIDTHS if folder else (1440,):
            with window(browser, width=width, theme=theme) as seen:
                _sign_in(seen.page, console, password)
                if folder is None:
                    part: FloatRect = {"x": 0, "y": 0, "width": 1440, "height": 1200}
                    seen.page.screenshot(path=ROOT / "docs" / "overview.png", full_page=True, clip=part)
                    return
                for path in ("", *PAGES):
                    seen.page.goto(f"{console.address}/t/demonstration/{path}")
                    name = path.replace("/", "-") or "overview"
                    seen.page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)
                if seen.complaints:
                    print(f"{width} {theme}: {seen.complaints}")


def _sign_in(page: Page, console: Console, password: str) -> None:
    page.goto(f"{console.address}/login")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/t/demonstration/")
    page.wait_for_timeout(20_000)
    page.reload()


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
