"""Every page with sample data, in its own application: `python -m tests.web.gallery FOLDER` takes pictures."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace as Row
from typing import Any

from flask import Flask, Response, abort, flash, g, render_template
from flask_wtf import CSRFProtect, FlaskForm
from werkzeug.datastructures import MultiDict
from werkzeug.serving import make_server
from wtforms import PasswordField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired

from app.core.permissions import Permission
from app.web.agents import device
from app.web.closures import ClosureForm
from app.web.presentation import register_presentation
from app.web.verifications import VerificationForm
from tests.web import (
    closing_pages,
    factor_pages,
    key_pages,
    overview_pages,
    people_pages,
    plan_pages,
    provisioning_pages,
    sign_on_pages,
    usage_pages,
    workspace_pages,
)
from tests.web import samples as s

ROOT = Path(__file__).resolve().parents[2]
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# endpoint -> rule below /t/<slug>, for the links in the pages
ROUTES = {
    **provisioning_pages.ROUTES,
    **sign_on_pages.ROUTES,
    **factor_pages.ROUTES,
    **overview_pages.ROUTES,
    "scans.index": "/scans",
    "scans.new": "/scans/new",
    "scans.create": "/scans/",
    "scans.show": "/scans/<scan_id>",
    "scans.progress": "/scans/<scan_id>/progress",
    "scans.cancel": "/scans/<scan_id>/cancellation",
    "scans.retry": "/scans/<scan_id>/retry",
    "documents.new": "/documents/new",
    "documents.create": "/documents",
    "findings.index": "/findings",
    "findings.show": "/findings/<finding_id>",
    "findings.triage": "/findings/<finding_id>/status",
    "assets.index": "/assets",
    "assets.new": "/assets/new",
    "assets.create": "/assets/",
    "assets.demonstrate": "/assets/demonstration",
    "assets.show": "/assets/<asset_id>",
    "assets.proof": "/assets/<asset_id>/proof",
    "assets.check": "/assets/<asset_id>/check",
    "graphs.show": "/graph",
    "guards.show": "/guard",
    "guards.judge": "/guard/",
    **people_pages.ROUTES,
    **key_pages.ROUTES,
    "closures.create": "/settings/deletion/",
    "closures.end": "/restoration/",
    "closures.show": "/restoration",
    **closing_pages.ROUTES,
    **plan_pages.ROUTES,
    **usage_pages.ROUTES,
    "audits.index": "/audit",
    "audits.export": "/audit/export",
    "audits.ask_checkpoints": "/audit/checkpoints",
    "audits.end_checkpoints": "/audit/checkpoints/end",
    **workspace_pages.ROUTES,
}
APART = {
    **sign_on_pages.APART,
    "signups.new": "/signup",
    "signups.create": "/signup/",
    "signups.slug": "/signup/slug",
    "logins.new": "/login",
    "logins.create": "/login/",
    "logins.end": "/logout",
    "tenants.index": "/tenants",
    "api_references.page": "/api/v1/reference",
    "api_references.document": "/api/v1/openapi.json",
    "resets.new": "/reset",
    "resets.create": "/reset/",
    "resets.update": "/reset/<token>",
    **people_pages.APART,
    "profiles.show": "/account",
    "profiles.name": "/account/name",
    "profiles.rename": "/account/name/",
    "profiles.password": "/account/password",
    "profiles.change_password": "/account/password/",
    "profiles.email": "/account/email",
    "profiles.change_email": "/account/email/",
    "profiles.keep_email": "/account/email/withdrawal",
    "profiles.end_session": "/account/sessions/<session_id>/end",
    "profiles.end_others": "/account/sessions/end",
    "mailboxes.index": "/mailbox",
    "mailboxes.show": "/mailbox/<mail_id>",
    "audit_keys.show": "/.well-known/sentinel-audit-key",
    **factor_pages.APART,
}


class SignupForm(FlaskForm):
    company = StringField("Company", [DataRequired("Tell us what to call it")])
    slug = StringField("Short name", [DataRequired("Choose one")])
    email = StringField("E-mail", [DataRequired("An address is needed to sign in")])
    name = StringField("Your name", [DataRequired("Tell us what to call you")])
    password = PasswordField("Password", [DataRequired("Choose one")])


class LoginForm(FlaskForm):
    email = StringField("E-mail")
    password = PasswordField("Password")
    next = StringField()


class ScanForm(FlaskForm):
    asset_id = SelectField("Asset", choices=[(s.uid(20), "www.northwind.example")])
    tool = SelectField("Tool", choices=[("posture", "HTTP and TLS posture")])


WORKSPACES = [(s.uid(700), "Default"), (s.uid(701), "Staging")]


class DocumentForm(FlaskForm):
    name = StringField("Name")
    text = TextAreaField("Text")
    workspace_id = SelectField("Workspace", choices=WORKSPACES)


class AssetForm(FlaskForm):
    address = StringField("Web address", [DataRequired("An address is needed")])
    name = StringField("Name")
    workspace_id = SelectField("Workspace", choices=WORKSPACES)


class NameForm(FlaskForm):
    name = StringField("Name")


class ResetForm(FlaskForm):
    email = StringField("E-mail", [DataRequired("An address is needed")])


class SetForm(FlaskForm):
    password = PasswordField("New password", [DataRequired("Choose one")])


class ChangeForm(FlaskForm):
    current = PasswordField("Present password", [DataRequired("It is needed")])
    new = PasswordField("New password", [DataRequired("Choose one")])


class EmailForm(FlaskForm):
    email = StringField("New e-mail address")
    password = PasswordField("Password", [DataRequired("It is needed")])


class GuardForm(FlaskForm):
    user_input = TextAreaField("Text")


def _invalid(kind: type[FlaskForm]) -> FlaskForm:
    form = kind(formdata=MultiDict({"email": "ada@northwind.example"}))
    form.validate()
    return form


def error(status: int, title: str, detail: str = "") -> dict[str, Any]:
    return {
        "error": Row(status=status, code="some", title=title, detail=detail or title),
        "request_id": s.uid(9),
        "tenant": None,
    }


def _filters(**given: Any) -> dict[str, Any]:
    names = (
        "status",
        "tool",
        "day",
        "severity",
        "asset_id",
        "scan_id",
        "kind",
        "q",
        "answer",
        "action",
        "actor",
        "from",
        "until",
        "key_id",
        "path",
        "quota",
        "by",
        "workspace_id",
        "scans",
        "since",
    )
    return {**dict.fromkeys(names), **given}


def _list(rows: list[Any], **more: Any) -> dict[str, Any]:
    plain = {"rows": rows, "count": len(rows) * 37, "newest": None, "older": "?after=x" if rows else None}
    plain["workspaces"] = WORKSPACES if rows else []
    return {**plain, "filtered": False, "filters": _filters(), "statuses": [("open", "Open")], **more}


def _scan(row: Row, **more: Any) -> dict[str, Any]:
    moving = row.status in ("queued", "running")
    return {"scan": row, "steps": s.STEPS, "moving": moving, "findings": [], "waiting": None, **more}


def _account(events: list[Any], sessions: list[Any], **changed: Any) -> dict[str, Any]:
    account = Row(**{**vars(s.ACCOUNT), **changed})
    return {
        "account": account,
        "sessions": sessions,
        "events": events,
        "device": device,
        **factor_pages.account(len(events)),
        "programs": {s.uid(92): "Northwind Traders"},
    }


def _graph() -> dict[str, Any]:
    from app.web.drawings import Edge, draw

    edges = [Edge(f.asset_id, f.asset_name, f.id, f.title, f.severity) for f in s.FINDINGS]
    edges += [Edge(s.uid(21), "www.northwind.example", f.id + "b", f.title, f.severity) for f in s.FINDINGS[:3]]
    return {"rows": edges, "drawing": draw(edges, lambda e: "/a", lambda e: "/f"), "down": None, "truncated": True}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    **factor_pages.PAGES,
    **provisioning_pages.PAGES,
    **sign_on_pages.PAGES,
    **plan_pages.PAGES,
    **usage_pages.PAGES,
    **workspace_pages.PAGES,
    "landing": ("landings/show.html", dict),
    "about-scans": ("landings/scans.html", lambda: {"most": 6}),
    "reference": ("references/show.html", lambda: s.REFERENCE),
    "signup": ("signups/new.html", lambda: {"form": SignupForm(formdata=None), "slug_state": "free"}),
    "signup-invalid": ("signups/new.html", lambda: {"form": _invalid(SignupForm), "slug_state": "taken"}),
    "login": (
        "logins/new.html",
        lambda: {"form": LoginForm(formdata=None), "passkey": factor_pages.CodeForm(formdata=None)},
    ),
    "tenants": (
        "tenants/index.html",
        lambda: {"tenants": [Row(name="Northwind Traders", slug="northwind", role="owner", status="active")]},
    ),
    "tenants-none": ("tenants/index.html", lambda: {"tenants": []}),
    "signup-sent": ("signups/sent.html", dict),
    "reset": ("resets/new.html", lambda: {"form": ResetForm(formdata=None)}),
    "reset-sent": ("resets/sent.html", dict),
    "reset-edit": (
        "resets/edit.html",
        lambda: {"form": _invalid(SetForm), "token": "a" * 43, "email": s.PERSON.email},
    ),
    "confirmation": (
        "confirmations/show.html",
        lambda: {
            "page": Row(title="Unlock sign-in", text="Failures of {email} are forgotten.", verb="Unlock sign-in"),
            "email": s.PERSON.email,
            "form": FlaskForm(),
        },
    ),
    "verification": (
        "verifications/show.html",
        lambda: {"form": _invalid(VerificationForm), "email": s.PERSON.email},
    ),
    "account": ("profiles/show.html", lambda: _account(s.ACCOUNT_EVENTS, s.SESSIONS)),
    "account-new": (
        "profiles/show.html",
        lambda: _account([], s.SESSIONS[:1], new_email="ada@new.example", new_confirmed=True),
    ),
    "account-name": ("profiles/name.html", lambda: {"form": NameForm(formdata=None)}),
    "account-password": ("profiles/password.html", lambda: {"form": _invalid(ChangeForm)}),
    "account-email": ("profiles/email.html", lambda: {"form": _invalid(EmailForm)}),
    "mailbox": ("mailboxes/index.html", lambda: {"rows": s.MAILS}),
    "mailbox-empty": ("mailboxes/index.html", lambda: {"rows": []}),
    "mail": ("mailboxes/show.html", lambda: {"mail": s.MAILS[0]}),
    **overview_pages.PAGES,
    **people_pages.PAGES,
    **key_pages.PAGES,
    "assets": ("assets/index.html", lambda: _list(s.ASSETS, demonstration="127.0.0.1:9000")),
    "assets-empty": ("assets/index.html", lambda: _list([], demonstration="127.0.0.1:9000")),
    "assets-filtered": ("assets/index.html", lambda: _list([], demonstration=None, filtered=True)),
    "asset-new": ("assets/new.html", lambda: {"form": AssetForm(formdata=None), "demonstration": "x"}),
    "asset": (
        "assets/show.html",
        lambda: {
            "asset_row": s.ASSETS[1],
            "asset_id": s.ASSETS[1].id,
            "proof": s.PROOF,
            "demonstration": "x",
            "scans": [],
            "findings": [],
        },
    ),
    "asset-proven": (
        "assets/show.html",
        lambda: {
            "asset_row": s.ASSETS[0],
            "asset_id": s.ASSETS[0].id,
            "proof": Row(**{**vars(s.PROOF), "state": "proven", "attempts": []}),
            "demonstration": None,
            "scans": s.SCANS[2:5],
            "findings": s.FINDINGS[:4],
        },
    ),
    "document-new": ("documents/new.html", lambda: {"form": DocumentForm(formdata=None), "limit": 200_000}),
    "scans": ("scans/index.html", lambda: _list(s.SCANS)),
    "scans-empty": ("scans/index.html", lambda: _list([])),
    "scan-new": ("scans/new.html", lambda: {"form": ScanForm(formdata=None), "unproven": 1}),
    "scan-queued": (
        "scans/show.html",
        lambda: _scan(s.SCANS[1], waiting="Waiting: 2 scans before it, because your plan runs 5 at a time."),
    ),
    "scan-running": ("scans/show.html", lambda: _scan(s.SCANS[0])),
    "scan-done": ("scans/show.html", lambda: _scan(s.SCANS[2], findings=s.FINDINGS)),
    "scan-failed": ("scans/show.html", lambda: _scan(s.SCANS[4])),
    "findings": ("findings/index.html", lambda: _list(s.FINDINGS, assets=[(s.uid(20), "shop.northwind.example")])),
    "findings-empty": ("findings/index.html", lambda: _list([], assets=[])),
    "finding": (
        "findings/show.html",
        lambda: {
            "finding": s.FINDINGS[2],
            "sightings": [Row(scan_id=s.uid(n), at=s.before(days=n)) for n in (1, 4, 9)],
            "acts": [("accepted", "Accept the risk"), ("resolved", "Mark as resolved")],
        },
    ),
    "graph": ("graphs/show.html", _graph),
    "graph-empty": ("graphs/show.html", lambda: {"rows": [], "drawing": None, "down": None, "truncated": True}),
    "graph-down": (
        "graphs/show.html",
        lambda: {"rows": [], "drawing": None, "down": "No connection to the graph.", "truncated": False},
    ),
    "guard": ("guards/show.html", lambda: {"form": GuardForm(formdata=None), "verdict": None, "curl": "curl …"}),
    "guard-verdict": ("guards/show.html", lambda: {"form": GuardForm(), "verdict": s.VERDICT, "curl": "curl …"}),
    "error-503": ("errors/error.html", lambda: error(503, "A part of the service is not available", "Try later.")),
    "audit": (
        "audits/index.html",
        lambda: _list(s.EVENTS, choices=s.CHOICES, sealed=s.SEALED, retention=s.RETENTION, checkpoints=True),
    ),
    "audit-empty": (
        "audits/index.html",
        lambda: _list([], choices=s.CHOICES, sealed=[], retention=s.RETENTION, checkpoints=None),
    ),
    "audit-filtered": (
        "audits/index.html",
        lambda: _list([], choices=s.CHOICES, sealed=s.SEALED, retention=s.RETENTION, checkpoints=False, filtered=True),
    ),
    "error-404": (
        "errors/error.html",
        lambda: error(404, "Not found"),
    ),
    "error-500": (
        "errors/error.html",
        lambda: error(500, "Something failed on our side"),
    ),
    "closure": ("closures/new.html", lambda: {"form": ClosureForm(formdata=None), "ending": plan_pages.ENDING}),
    "restoration": (
        "closures/show.html",
        lambda: {"deleted": Row(name="Northwind", deleted_at=s.before(days=2), purge_at=s.before(days=-28))},
    ),
    **closing_pages.PAGES,
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
