"""What templates may call: assets, icons, times, numbers, permissions and the navigation."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from flask import Flask, current_app, g, request, url_for
from jinja2 import StrictUndefined
from markupsafe import Markup, escape

from app.core.permissions import Permission
from app.scanners.catalogue import TOOLS
from app.web import statics
from app.web.charts import shares, swatch

CAP = 10_000


@dataclass(frozen=True)
class Destination:
    """One line of the side navigation."""

    label: str
    icon: str
    endpoint: str
    permission: Permission


NAVIGATION: tuple[tuple[str, tuple[Destination, ...]], ...] = (
    ("", (Destination("Overview", "home", "overviews.show", Permission.OVERVIEW_READ),)),
    (
        "Scanning",
        (
            Destination("Scans", "radar-2", "scans.index", Permission.SCANS_READ),
            Destination("Findings", "shield-half", "findings.index", Permission.FINDINGS_READ),
            Destination("Assets", "server", "assets.index", Permission.ASSETS_READ),
            Destination("Graph", "affiliate", "graphs.show", Permission.GRAPH_READ),
        ),
    ),
    ("Guard", (Destination("Try it", "message-search", "guards.show", Permission.GUARD_PROCESS),)),
    (
        "Settings",
        (
            Destination("API keys", "key", "keys.index", Permission.KEYS_READ),
            Destination("Usage", "chart-bar", "usages.show", Permission.USAGE_READ),
            Destination("Audit log", "history", "audits.index", Permission.AUDIT_READ),
        ),
    ),
)


def register_presentation(app: Flask) -> None:
    """Give the application's templates all that they call, and make an unknown name in them an error."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        ago=ago,
        moment=moment,
        grouped=grouped,
        capped=capped,
        elapsed=elapsed,
        short=short,
        words=words,
        tool=tool,
        scope=scope,
        account_action=account_action,
    )
    app.jinja_env.globals.update(
        asset=asset,
        icon=icon,
        may=may,
        navigation=navigation,
        here=here,
        shares=shares,
        swatch=swatch,
        mailbox=mailbox,
    )
    app.register_blueprint(statics.blueprint)


@lru_cache(maxsize=1)
def _manifest() -> statics.Manifest:
    return statics.read_manifest()


def asset(name: str) -> str:
    """Return the path of a built file."""
    return _manifest().path(name)


def icon(name: str, classes: str = "") -> Markup:
    """Return an icon from the sprite; it is decoration, so words must stand beside it. Raises KeyError."""
    if name not in _manifest().icons:
        raise KeyError(f"static/icons.txt does not name {name}")
    extra = f" {classes}" if classes else ""
    return Markup('<svg class="icon{}" aria-hidden="true"><use href="{}#{}"></use></svg>').format(
        extra, asset("icons.svg"), name
    )


def may(permission: str) -> bool:
    """Tell whether whoever looks at the page holds `permission`; it may be named without its scope."""
    actor = g.get("actor")
    held = actor.permissions if actor else frozenset()
    return permission in held or f"tenant:{permission}" in held


def mailbox() -> str | None:
    """Return the address of the development mailbox, where there is one."""
    return url_for("mailboxes.index") if current_app.config.get("MAILBOX") else None


def navigation() -> list[tuple[str, list[Destination]]]:
    """Return the groups of destinations that exist and that one may open."""
    known = current_app.view_functions
    groups = [(name, [d for d in group if d.endpoint in known and may(d.permission)]) for name, group in NAVIGATION]
    return [(name, group) for name, group in groups if group]


def here(endpoint: str) -> bool:
    """Tell whether the present page belongs to `endpoint`'s noun."""
    return (request.endpoint or "").split(".")[0] == endpoint.split(".", maxsplit=1)[0]


def ago(at: datetime | None, otherwise: str = "never") -> Markup:
    """Return a moment as "3 minutes ago", with the exact one on hover."""
    return _time(at, otherwise, relative=True)


def moment(at: datetime | None, otherwise: str = "—") -> Markup:
    """Return a moment as its date and time in UTC."""
    return _time(at, otherwise, relative=False)


def _time(at: datetime | None, otherwise: str, *, relative: bool) -> Markup:
    if at is None:
        return Markup('<span class="soft">{}</span>').format(otherwise)
    at = at.astimezone(UTC)
    exact = at.strftime("%-d %b %Y, %H:%M:%S UTC")
    text = relative_words(datetime.now(UTC) - at) if relative else at.strftime("%-d %b %Y, %H:%M UTC")
    mark = Markup(" data-relative") if relative else Markup("")
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
        at.isoformat(timespec="seconds"), exact, mark, text
    )


def relative_words(age: timedelta) -> str:
    """Say how long ago something was, in one unit."""
    seconds = age.total_seconds()
    size = abs(seconds)
    if size < 10:
        return "just now"
    units = ((60, 1, "second"), (3600, 60, "minute"), (86_400, 3600, "hour"), (2_592_000, 86_400, "day"))
    longer = ((31_536_000, 2_592_000, "month"), (math.inf, 31_536_000, "year"))
    _, unit, word = next(entry for entry in units + longer if size < entry[0])
    number = int(size // unit)
    text = f"{number} {word}{'' if number == 1 else 's'}"
    return f"in {text}" if seconds < 0 else f"{text} ago"


def elapsed(span: timedelta | float | None) -> str:
    """Return a duration as "850 ms", "12 s", "3 min 4 s" or "2 h 5 min"."""
    if span is None:
        return "—"
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def grouped(number: int | float) -> str:
    """Return a number with its thousands grouped."""
    return f"{number:,}"


def capped(number: int) -> str:
    """Return a count that was not counted beyond 10,000."""
    return f"{CAP:,}+" if number > CAP else f"{number:,}"


def short(value: object) -> Markup:
    """Return the end of an id, where UUIDv7 differ, with the whole one on hover."""
    text = str(value)
    return Markup('<code class="plain" title="{}">{}</code>').format(text, text[-8:])


def words(name: str) -> str:
    """Return an identifier such as `false_positive` as words: "False positive"."""
    return str(escape(name)).replace("_", " ").replace("-", " ").capitalize()


def tool(name: str) -> str:
    """Return the name of a scanner as people read it."""
    return TOOLS[name].title if name in TOOLS else words(name)


def scope(permission: str) -> str:
    """Return a permission as people read it: `tenant:scans:write` is "scans: write"."""
    return permission.removeprefix("tenant:").replace(":", ": ")


_ACCOUNT_ACTIONS = {
    "email.change": "The e-mail address was changed",
    "email.keep": "A change of address was given up",
    "email.request": "A change of address was asked for",
    "email.verify": "The e-mail address was confirmed",
    "name.change": "The name was changed",
    "password.change": "The password was changed",
    "password.reset": "A new password was set by a mailed link",
    "session.end": "A session was ended",
    "session.end-others": "All other sessions were ended",
    "sign-in.unlock": "Sign-in was unlocked by a mailed link",
}


def account_action(name: str) -> str:
    """Return what was done to an account as people read it."""
    return _ACCOUNT_ACTIONS.get(name, words(name))
