"""What the gallery's pages share: forms at fault, and lists with their filters."""

from typing import Any

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict

from tests.web import samples as s

WORKSPACES = [(s.uid(700), "Default"), (s.uid(701), "Staging")]


def invalid(kind: type[FlaskForm], **typed: str) -> Any:
    """The form as it comes back with what was typed."""
    form = kind(formdata=MultiDict(typed))
    form.validate()
    return form


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


def listed(rows: list[Any], **more: Any) -> dict[str, Any]:
    """A list with more of them behind it, with nothing filtered; `more` says otherwise."""
    plain = {"rows": rows, "count": len(rows) * 37, "newest": None, "older": "?after=x" if rows else None}
    plain["workspaces"] = WORKSPACES if rows else []
    return {**plain, "filtered": False, "filters": _filters(), "statuses": [("open", "Open")], **more}
