"""The gallery's pages of assets, scans, findings, the graph and the guard; the routes that they link to."""

from collections.abc import Callable
from types import SimpleNamespace as Row
from typing import Any

from flask_wtf import FlaskForm
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired

from app.web.drawings import Edge, draw
from tests.web import samples as s
from tests.web.contexts import WORKSPACES, listed

ROUTES = {
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
}


class ScanForm(FlaskForm):
    asset_id = SelectField("Asset", choices=[(s.uid(20), "www.northwind.example")])
    tool = SelectField("Tool", choices=[("posture", "HTTP and TLS posture")])


class DocumentForm(FlaskForm):
    name = StringField("Name")
    text = TextAreaField("Text")
    workspace_id = SelectField("Workspace", choices=WORKSPACES)


class AssetForm(FlaskForm):
    address = StringField("Web address", [DataRequired("An address is needed")])
    name = StringField("Name")
    workspace_id = SelectField("Workspace", choices=WORKSPACES)


class GuardForm(FlaskForm):
    user_input = TextAreaField("Text")


def _scan(row: Row, **more: Any) -> dict[str, Any]:
    moving = row.status in ("queued", "running")
    return {"scan": row, "steps": s.STEPS, "moving": moving, "findings": [], "waiting": None, **more}


def _graph() -> dict[str, Any]:
    edges = [Edge(f.asset_id, f.asset_name, f.id, f.title, f.severity) for f in s.FINDINGS]
    edges += [Edge(s.uid(21), "www.northwind.example", f.id + "b", f.title, f.severity) for f in s.FINDINGS[:3]]
    return {"rows": edges, "drawing": draw(edges, lambda e: "/a", lambda e: "/f"), "down": None, "truncated": True}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "assets": ("assets/index.html", lambda: listed(s.ASSETS, demonstration="127.0.0.1:9000")),
    "assets-empty": ("assets/index.html", lambda: listed([], demonstration="127.0.0.1:9000")),
    "assets-filtered": ("assets/index.html", lambda: listed([], demonstration=None, filtered=True)),
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
    "scans": ("scans/index.html", lambda: listed(s.SCANS)),
    "scans-empty": ("scans/index.html", lambda: listed([])),
    "scan-new": ("scans/new.html", lambda: {"form": ScanForm(formdata=None), "unproven": 1}),
    "scan-queued": (
        "scans/show.html",
        lambda: _scan(s.SCANS[1], waiting="Waiting: 2 scans before it, because your plan runs 5 at a time."),
    ),
    "scan-running": ("scans/show.html", lambda: _scan(s.SCANS[0])),
    "scan-done": ("scans/show.html", lambda: _scan(s.SCANS[2], findings=s.FINDINGS)),
    "scan-failed": ("scans/show.html", lambda: _scan(s.SCANS[4])),
    "scan-cancelled": ("scans/show.html", lambda: _scan(s.scan(6, "cancelled", failure="It hung since noon."))),
    "findings": ("findings/index.html", lambda: listed(s.FINDINGS, assets=[(s.uid(20), "shop.northwind.example")])),
    "findings-empty": ("findings/index.html", lambda: listed([], assets=[])),
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
}
