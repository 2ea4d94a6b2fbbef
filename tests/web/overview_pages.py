"""The gallery's overview: new, at work, near its limits, and for somebody who may only look."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as Row
from typing import Any

from flask import g

from app.core.permissions import GRANTS, Role
from app.services.attentions import Example, Kind, Matter
from app.services.plans import QUOTA_NAMES, Quota
from app.services.quota_summaries import Line
from app.web.attentions import attention_rows
from app.web.charts import Bar, Chart, Series
from tests.web import samples as s
from tests.web.plan_pages import LINES, RESET

ROUTES = {"overviews.show": "/", "overviews.progress": "/overview/scans"}
CHANGES = {"critical": 1, "high": -2, "medium": 3, "low": 0, "info": 12}


def _matters() -> list[Matter]:
    since, until = datetime.now(UTC) - timedelta(days=6), datetime.now(UTC) + timedelta(days=3)
    scans = Line(Quota.SCANS, QUOTA_NAMES[Quota.SCANS], 9_412, 10_000, RESET, False)
    named = [Example(s.uid(20 + n), name) for n, name in enumerate(("shop.northwind.example", "Letter", "A & B"))]
    few = tuple(named)
    return [
        Matter(Kind.CRITICAL, 2, since=since),
        Matter(Kind.CONNECTION, 1, detail="The provider answered “invalid_client”: its secret has been changed."),
        Matter(Kind.QUOTA, 94, quota=scans),
        Matter(Kind.FAILED, 1, few[:1], since=since),
        Matter(Kind.FACTORS, 3),
        Matter(Kind.PROOFS, 1, few[:1]),
        Matter(Kind.TRIAL, 3, until=until),
        Matter(Kind.KEYS_ENDING, 1, few[1:2], until=until),
        Matter(Kind.KEYS_AMISS, 14, few),
        Matter(Kind.DOMAINS, 2, few[:2]),
        Matter(Kind.UNSCANNED, 10_001, few),
    ]


def _chart(days: int, size: int) -> Chart:
    bars = []
    for back in range(days - 1, -1, -size):
        day, wave = s.NOW.date() - timedelta(days=back), 17 + back * 7 % 23
        values = (wave % 4, wave // 3, wave, wave * 2 // 3, wave)
        bars.append(Bar(day, values if back else (1, 4, 11, 9, 16), f"/t/northwind/findings?day={day}"))
    series = tuple(Series(level.capitalize(), level) for level in s.LEVELS)
    return Chart("open", "Open findings over time", "open findings", series, tuple(bars), stock=True)


def _overview(done: int, **more: Any) -> dict[str, Any]:
    """A tenant that has done so many of its first steps."""
    titles = (
        ("Issue an API key", "So that a program of yours can check texts and start scans.", "Issue a key"),
        ("Add an asset and prove it", "A site that you control, or the demonstration target.", "Add an asset"),
        ("Start the first scan", "It takes seconds, and each finding says what to do.", "Start a scan"),
    )
    full = done > 1
    now = dict(s.SEVERITIES) if full else dict.fromkeys(s.LEVELS, 0)
    plain = {
        "steps": [Row(title=t, text=x, verb=v, url="/x", done=i < done) for i, (t, x, v) in enumerate(titles)],
        "all_done": done == 3,
        "attention": attention_rows(_matters()[6:]) if full else [],
        "seen": Row(
            week_begins=s.NOW.date() - timedelta(days=6),
            scans_ever=int(full),
            scans_week=23 if full else 0,
            failed_week=2 if full else 0,
            found_week=18 if full else 0,
            running=1,
            queued=1,
            calls_today=1_204 if full else 0,
            calls_week=10_001 if full else 0,
            assets=4,
            proven=3,
        ),
        "quotas": LINES[1:3] if full else LINES[1:2],
        "trend": Row(total=sum(now.values()), now=now),
        "severities": [(level, number, CHANGES[level] if full else 0) for level, number in now.items()],
        "chart": _chart(30, 1) if full else None,
        "period": 30,
        "workspace_id": None,
        "workspaces": [(s.uid(700), "Default"), (s.uid(701), "Staging")] if full else [],
        "recent": s.SCANS[:6] if full else [],
        "moving": full,
        "trial_days": 12,
        "missing": ["The graph does not answer: findings are recorded, and drawn when it is back."]
        if done == 2
        else [],
    }
    return {**plain, **more}


def _unverified() -> dict[str, Any]:
    return {**_overview(0), "person": Row(**{**vars(s.PERSON), "verified": False})}


def _viewer() -> dict[str, Any]:
    g.actor = Row(permissions=GRANTS[Role.VIEWER])
    return _overview(3, attention=None, trial_days=None)


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    name: ("overviews/show.html", context)
    for name, context in (
        ("overview-unverified", _unverified),
        ("overview-new", lambda: _overview(0)),
        ("overview", lambda: _overview(2)),
        ("overview-done", lambda: _overview(3, chart=_chart(91, 7), period=90)),
        ("overview-near-limit", lambda: _overview(3, attention=attention_rows(_matters()), quotas=LINES[:3])),
        ("overview-calm", lambda: _overview(3, attention=[], moving=False, trial_days=None)),
        ("overview-viewer", _viewer),
    )
}
