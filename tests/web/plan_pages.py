"""The gallery's pages of plans, and the routes that they link to."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from types import SimpleNamespace as Row
from typing import Any

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, TextAreaField
from wtforms.validators import Length

from app.services.lifecycles import Ending
from app.services.plan_requests import Consequences
from app.services.usage_series import Period, Span
from app.web.plan_notes import PlanNote
from tests.web import samples as s

ROUTES = {
    "plans.show": "/plan",
    "plans.compare": "/plan/comparison",
    "plans.ask": "/plan/request",
    "plans.create": "/plan/request/",
    "plans.withdraw": "/plan/requests/<request_id>/withdrawal",
    "plans.counted_scans": "/plan/scans",
}
RESET = datetime(2026, 12, 1, tzinfo=UTC)
PLANS = [
    Row(key=key, name=key.capitalize(), price=price)
    for key, price in (("free", 0), ("starter", 29), ("professional", 99), ("enterprise", None), ("custom", None))
]


def _line(name: str, used: int | None, limit: int | None, **more: Any) -> Row:
    percent = None if used is None or limit is None else used * 100 // limit
    plain = {"at_risk": (percent or 0) > 90, "resets_at": None, "agreed": False, "url": "/t/northwind/scans"}
    return Row(name=name, used=used, limit=limit, percent=percent, **{**plain, **more})


LINES = [
    _line("Seats", 24, 25),
    _line("API keys", 12, 100),
    _line("Scans a month", 9_412, 10_000, resets_at=RESET, agreed=True),
    _line("Texts checked a month", 1_204, None, resets_at=RESET),
    _line("Scans at once", 2, 5, url=None),
]


def asked(status: str, answer: str | None = None) -> Row:
    return Row(id=s.uid(700), plan=PLANS[3], status=status, asked_label=s.PERSON.email, answer=answer)


def _show(**more: Any) -> dict[str, Any]:
    plain = {
        "plan": PLANS[2],
        "trial_ends_at": None,
        "counted": LINES,
        "unmeasured": [_line("Sensors", None, 1_000), _line("LLM tokens a month", None, None)],
        "at_risk": [],
        "rates": [Row(name="API calls a minute", limit=2_000), Row(name="Scan starts a minute", limit=200)],
        "features": [Row(name="Export of the audit log", has=True), Row(name="Single sign-on", has=False)],
        "overrides": [],
        "request_made": None,
        "beyond": [],
        "calls": 48_210,
        "by_workspace": [
            Row(name="Default", numbers=[(48_001, "/t/northwind/usage/calls"), (1_204, "#"), (9_400, "#")]),
            Row(name="Payments", numbers=[(209, "/t/northwind/usage/calls"), (0, "#"), (12, "#")]),
        ],
    }
    return {**plain, **more}


class RequestForm(FlaskForm):
    plan = HiddenField("Plan")
    note = TextAreaField("A note for us", [Length(max=3, message="At most 500 characters")])


def _ask(beyond: tuple[tuple[str, int, int], ...], lost: tuple[str, ...], *, wrong: bool = False) -> dict[str, Any]:
    form = RequestForm(formdata=MultiDict({"plan": "free", "note": "too long"} if wrong else {"plan": "free"}))
    if wrong:
        form.validate()
    consequences = Consequences(beyond, lost, (365, 30) if lost else None)
    plain = {"form": form, "plan": PLANS[0], "present": PLANS[2], "pending": None, "longest": 500}
    return {**plain, "consequences": consequences}


def _compare(**more: Any) -> dict[str, Any]:
    rows = [("Seats", [1, 5, 25, None, 10_000]), ("Scans a month", [100, 1_000, 10_000, 100_000, 1_000_000])]
    features = [("Single sign-on", [False, False, False, True, True])]
    return {"every": PLANS, "present": "professional", "rows": rows, "features": features, "pending": None, **more}


def _scans(rows: list[Any], *, filtered: bool = False) -> dict[str, Any]:
    pages = {"count": len(rows) * 30, "newest": None, "older": "?after=x" if rows else None, "filtered": filtered}
    span = Span(Period.THIS_MONTH, date(2026, 11, 1), date(2026, 11, 22), date(2026, 11, 1))
    filters = dict.fromkeys(("period", "day", "workspace_id", "by"))
    more = {"span": span, "periods": [("this_month", "This month")], "workspaces": [], "filters": filters}
    return {"rows": rows, **more, **pages}


def _quota(reset: str | None) -> dict[str, Any]:
    extra = {
        "quota_name": "Scans a month",
        "used": 10_000,
        "limit": 10_000,
        "reset": reset,
        "more": "/t/northwind/plan",
    }
    told = Row(
        status=429, title="This quota is used up", detail="Scans a month: 10,000 of 10,000 are used.", extra=extra
    )
    return {"error": told, "request_id": s.uid(9), "tenant": s.TENANT}


def _beyond(name: str, used: int, limit: int, rows: list[str] | None) -> Row:
    return Row(
        name=name,
        used=used,
        limit=limit,
        count=used - limit,
        rule="The oldest stay. The others can be read, not changed.",
        remedy="Give up one that stays, and the next one here comes in.",
        all_url="/t/northwind/workspaces",
        rows=None if rows is None else [(row, "/t/northwind/workspaces") for row in rows],
    )


ENDING = Ending(members=24, api_keys=12, workspaces=1, scans_open=2, days=365, until=RESET)
ENDS_SOON = PlanNote(False, RESET, 5, (("Seats", 24, 1), ("API keys", 12, 5)))
PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "plan": ("plans/show.html", _show),
    "plan-at-risk": (
        "plans/show.html",
        lambda: _show(
            at_risk=[LINES[0], LINES[2]],
            request_made=asked("pending"),
            trial_ends_at=RESET,
            overrides=[Row(name="Scans a month", value="10,000", reason="The audit in November", until=RESET)],
        ),
    ),
    "plan-beyond": (
        "plans/show.html",
        lambda: _show(
            plan=PLANS[0],
            plan_note=lambda: ENDS_SOON,
            beyond=[
                _beyond("API keys", 8, 5, ["Nightly build", "Release pipeline", "Laptop of Robin"]),
                _beyond("Seats", 3, 1, None),
                _beyond("Workspaces", 60, 3, ["a-very-long-name-of-a-workspace-that-somebody-made-" * 2, "Staging"]),
            ],
        ),
    ),
    "plan-read-only": ("plans/show.html", lambda: _show(plan=PLANS[0], plan_note=lambda: PlanNote(read_only=True))),
    "plan-declined": ("plans/show.html", lambda: _show(request_made=asked("declined", "We talk on Monday."))),
    "plan-compare": ("plans/compare.html", _compare),
    "plan-compare-pending": ("plans/compare.html", lambda: _compare(pending=asked("pending"))),
    "plan-ask": ("plans/ask.html", lambda: _ask((), ())),
    "plan-ask-beyond": (
        "plans/ask.html",
        lambda: _ask((("Seats", 24, 1), ("Scans a month", 9_412, 100)), ("Export of the audit log",), wrong=True),
    ),
    "plan-scans": ("plans/scans.html", lambda: _scans(s.SCANS)),
    "plan-scans-empty": ("plans/scans.html", lambda: _scans([])),
    "plan-scans-filtered": ("plans/scans.html", lambda: _scans([], filtered=True)),
    "over-quota": ("errors/quota.html", lambda: _quota("2026-12-01T00:00:00+00:00")),
    "over-seats": ("errors/quota.html", lambda: _quota(None)),
}
