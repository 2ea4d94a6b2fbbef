"""The gallery's pages of usage, and the routes that they link to."""

from collections.abc import Callable
from datetime import date, timedelta
from types import SimpleNamespace as Row
from typing import Any

from app.services.usage import CallsKept
from app.services.usage_series import SPLITS, Measure, Part, Period, Report, Span, Split
from app.web.charts import Bar, Chart, Series
from tests.web import samples as s

ROUTES = {
    "usages.show": "/usage",
    "usages.calls": "/usage/calls",
    "usages.table": "/usage/figures.csv",
}
CHOICES = [
    ("calls", "API calls"),
    ("texts", "Texts checked"),
    ("scans", "Scans that count"),
    ("seats", "Seats (as it stands)"),
    ("llm_tokens_month", "LLM tokens a month (not measured)"),
]
PERIODS = [("this_month", "This month"), ("last_month", "Last month"), ("90_days", "90 days")]
PARTS = [
    ("Checkout service", 9_204),
    ("a-service-whose-name-is-as-long-as-a-name-of-a-key-may-be-and-not-a-word-shorter", 812),
    ("No key: access tokens", 31),
]


def _show(split: Split = Split.DAY, number: int = 21, *, empty: bool = False, cut: bool = False) -> dict[str, Any]:
    since = date(2026, 9, 1)
    days = [(since + timedelta(days=n), 0 if empty else 1000 + n * 37 % 17 * 99) for n in range(number)]
    until = since + timedelta(days=number)
    parts = [Part(name, name, value) for name, value in PARTS] if split is not Split.DAY and not empty else []
    made = Report(Measure.CALLS, split, Span(Period.THIS_MONTH, since, until, since, cut), days, parts, 7)
    bars = tuple(Bar(day, (value,), f"/t/northwind/usage/calls?day={day}&quota=texts") for day, value in days)
    shown = [Row(name=p.name, value=p.value, url="/t/northwind/usage/calls", share=p.value // 93) for p in parts]
    return {
        "what": "calls",
        "choices": CHOICES,
        "period": "this_month",
        "periods": PERIODS,
        "split": str(split),
        "splits": [(str(each), f"By {each}") for each in SPLITS[Measure.CALLS]],
        "report": made,
        "chart": Chart("calls", "API calls per day (UTC)", "calls", (Series("API calls"),), bars),
        "parts": None if split is Split.DAY else shown,
        "rows_url": "/t/northwind/usage/calls?period=this_month",
    }


def _standing(name: str, used: int | None, limit: int | None) -> dict[str, Any]:
    line = Row(name=name, used=used, limit=limit, url="/t/northwind/people")
    return {"what": "seats", "choices": CHOICES, "line": line}


def _calls(rows: list[Any], keys: list[Any], **filters: str) -> dict[str, Any]:
    names = ("day", "period", "key_id", "workspace_id", "path", "by", "quota")
    more = {"periods": PERIODS, "workspaces": [], "by_name": filters.get("by"), "keys": keys, "rows": rows}
    shown = {"filters": {name: filters.get(name) for name in names}, "filtered": bool(filters), "newest": None}
    kept = CallsKept(30, date(2026, 8, 22), filters.get("period") == "90_days")
    return {**more, **shown, "kept": kept, "count": len(rows), "older": "?after=x" if rows else None}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "usage": ("usages/show.html", _show),
    "usage-full": ("usages/show.html", lambda: _show(number=90)),
    "usage-by-key": ("usages/show.html", lambda: _show(Split.KEY, cut=True)),
    "usage-empty": ("usages/show.html", lambda: _show(Split.ENDPOINT, empty=True)),
    "usage-standing": ("usages/standing.html", lambda: _standing("Seats", 3, 25)),
    "usage-unmeasured": ("usages/standing.html", lambda: _standing("LLM tokens a month", None, None)),
    "calls": ("usages/calls.html", lambda: _calls(s.CALLS, [(s.uid(400), "Checkout service")])),
    "calls-filtered": ("usages/calls.html", lambda: _calls([], [], by="keys", period="90_days", quota="texts")),
    "calls-empty": ("usages/calls.html", lambda: _calls([], [])),
}
