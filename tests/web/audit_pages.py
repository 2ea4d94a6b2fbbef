"""The gallery's pages of the audit log, and the routes that they link to."""

from collections.abc import Callable
from typing import Any

from tests.web import samples as s
from tests.web.contexts import listed

ROUTES = {
    "audits.index": "/audit",
    "audits.export": "/audit/export",
    "audits.ask_checkpoints": "/audit/checkpoints",
    "audits.end_checkpoints": "/audit/checkpoints/end",
}
APART = {
    "audit_keys.show": "/.well-known/sentinel-audit-key",
}
PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "audit": (
        "audits/index.html",
        lambda: listed(s.EVENTS, choices=s.CHOICES, sealed=s.SEALED, retention=s.RETENTION, checkpoints=True),
    ),
    "audit-empty": (
        "audits/index.html",
        lambda: listed([], choices=s.CHOICES, sealed=[], retention=s.RETENTION, checkpoints=None),
    ),
    "audit-filtered": (
        "audits/index.html",
        lambda: listed([], choices=s.CHOICES, sealed=s.SEALED, retention=s.RETENTION, checkpoints=False, filtered=True),
    ),
}
