"""The gallery's pages of tenants that are deleted or closed, and of exports, and the routes that they link to."""

from collections.abc import Callable
from types import SimpleNamespace as Row
from typing import Any

from app.web.closures import ClosureForm
from tests.web import plan_pages
from tests.web import samples as s

ROUTES = {
    "closures.create": "/settings/deletion/",
    "closures.end": "/restoration/",
    "closures.show": "/restoration",
    "exports.show": "/settings/export",
    "exports.create": "/settings/export/",
}
OWNERS = (Row(name="Ada Lovelace", email="ada@northwind.example"), Row(name="Grace", email="grace@northwind.example"))
COMMON: dict[str, Any] = {"closing": lambda: Row(since=s.before(days=2), owners=OWNERS)}
REASONS = ["the client's secret at the provider", "the keyed hash of a credential"]


def _closed(status: str, role: str) -> dict[str, Any]:
    tenant = Row(**{**vars(s.TENANT), "status": status, "status_reason": "The last invoice is unpaid."})
    return {"tenant": tenant, "person": Row(**{**vars(s.PERSON), "role": role}), "request_id": s.uid(9)}


def _export(state: str, **more: Any) -> Row:
    plain = {"asked_at": s.before(hours=3), "asked_label": s.PERSON.email, "files": 52, "rows": None, "bytes": None}
    return Row(state=state, **{**plain, **more})


EXPORTS = [
    _export("running", asked_at=s.before(minutes=1)),
    _export("complete", rows=1_204_331, bytes=734_003_200),
    _export("broken"),
]


def _exports(rows: list[Row], **more: Any) -> dict[str, Any]:
    return {"rows": rows, "refused": None, "left_out": REASONS, **more}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "closure": ("closures/new.html", lambda: {"form": ClosureForm(formdata=None), "ending": plan_pages.ENDING}),
    "restoration": (
        "closures/show.html",
        lambda: {"deleted": Row(name="Northwind", deleted_at=s.before(days=2), purge_at=s.before(days=-28))},
    ),
    "exports": ("exports/show.html", lambda: _exports(EXPORTS)),
    "exports-none": ("exports/show.html", lambda: _exports([])),
    "exports-refused": (
        "exports/show.html",
        lambda: _exports(EXPORTS, refused=Row(detail="An export of this tenant runs already. Wait for it to end.")),
    ),
    "exports-suspended": ("exports/show.html", lambda: {**_closed("suspended", "owner"), **_exports([])}),
    "suspended": ("errors/suspended.html", lambda: _closed("suspended", "owner")),
    "suspended-member": ("errors/suspended.html", lambda: _closed("suspended", "viewer")),
    "deleted": ("errors/suspended.html", lambda: _closed("deleted", "owner")),
}
