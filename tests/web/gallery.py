"""Every page with sample data, in its own application: `python -m tests.web.gallery FOLDER` takes pictures."""

import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace as Row
from typing import Any

from flask import Flask, Response, abort, flash, g, render_template
from flask_wtf import CSRFProtect
from werkzeug.serving import make_server

from app.core.permissions import Permission
from app.web.presentation import register_presentation
from tests.web import closing_pages
from tests.web import samples as s

ROOT = Path(__file__).resolve().parents[2]
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SUBJECTS = (
    "account",
    "audit",
    "closing",
    "factor",
    "key",
    "overview",
    "people",
    "plan",
    "provisioning",
    "scan",
    "sign_on",
    "usage",
    "workspace",
)
MODULES = [import_module(f"tests.web.{subject}_pages") for subject in SUBJECTS]


def _gathered(name: str) -> dict[str, Any]:
    """What the modules have under a name that not every one of them needs."""
    return {key: value for module in MODULES for key, value in getattr(module, name, {}).items()}


ROUTES: dict[str, str] = _gathered("ROUTES")  # endpoint -> rule below /t/<slug>, for the links in the pages
APART: dict[str, str] = _gathered("APART")  # endpoint -> rule outside of any tenant


def error(status: int, title: str, detail: str = "") -> dict[str, Any]:
    return {
        "error": Row(status=status, code="some", title=title, detail=detail or title),
        "request_id": s.uid(9),
        "tenant": None,
    }


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    **_gathered("PAGES"),
    "error-503": ("errors/error.html", lambda: error(503, "A part of the service is not available", "Try later.")),
    "error-404": (
        "errors/error.html",
        lambda: error(404, "Not found"),
    ),
    "error-500": (
        "errors/error.html",
        lambda: error(500, "Something failed on our side"),
    ),
}


def gallery_app() -> Flask:
    """Return an application whose `/gallery/<name>` renders a page with its samples."""
    app = Flask("gallery", template_folder=str(ROOT / "templates"), static_folder=None)
    app.config.update(SECRET_KEY="gallery", TESTING=True)
    CSRFProtect(app)
    register_presentation(app)
    for endpoint, rule in ROUTES.items():
        app.add_url_rule(f"/t/<slug>{rule}", endpoint, _nothing, methods=["GET", "POST"])
    for endpoint, rule in APART.items():
        app.add_url_rule(rule, endpoint, _nothing, methods=["GET", "POST"])

    @app.url_defaults
    def slug(endpoint: str, values: dict[str, Any]) -> None:
        if app.url_map.is_endpoint_expecting(endpoint, "slug"):
            values.setdefault("slug", "northwind")

    @app.before_request
    def somebody() -> None:
        g.actor = Row(permissions=frozenset(Permission))

    @app.context_processor
    def common() -> dict[str, Any]:
        seen = {"tenant": s.TENANT, "person": s.PERSON, "shell": lambda: s.SHELL, "plan_note": lambda: None}
        return {**seen, **closing_pages.COMMON}

    @app.after_request
    def strict(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = CSP
        return response

    @app.get("/gallery/<name>")
    def page(name: str) -> str:
        if name not in PAGES:
            abort(404)
        template, context = PAGES[name]
        if name == "keys":
            flash("The key Old laptop was revoked.", "good")
        return render_template(template, **context())

    return app


def _nothing(**_values: str) -> str:
    return ""


def take_pictures(folder: Path, names: list[str], widths: tuple[int, ...], themes: tuple[str, ...]) -> None:
    """Write a picture of each page at each width in each theme, and say what a page's console complained of."""
    from playwright.sync_api import sync_playwright

    server = make_server("127.0.0.1", 0, gallery_app(), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for theme in themes:
            for width in widths:
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
                page.on("console", lambda m: print("console:", m.type, m.text))
                for name in names:
                    page.goto(f"http://127.0.0.1:{server.port}/gallery/{name}")
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    if wide > width:
                        print(f"{name} at {width}: {wide} wide")
                    page.screenshot(path=str(folder / f"{name}-{width}-{theme}.png"), full_page=True)
                page.close()
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    chosen = sys.argv[2].split(",") if len(sys.argv) > 2 else list(PAGES)
    sizes = tuple(int(w) for w in sys.argv[3].split(",")) if len(sys.argv) > 3 else (1440, 768, 390)
    take_pictures(
        Path(sys.argv[1]), chosen, sizes, tuple((sys.argv[4] if len(sys.argv) > 4 else "light,dark").split(","))
    )
