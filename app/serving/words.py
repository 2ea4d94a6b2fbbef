"""Times, numbers and names as people read them."""

import math
from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

CAP = 10_000


def ago(at: datetime | None, otherwise: str = "never") -> Markup:
    """Return a moment as "3 minutes ago", with the exact one on hover."""
    return _time(at, otherwise, relative=True)


def moment(at: datetime | None, otherwise: str = "—") -> Markup:
    """Return a moment as its date and time in UTC."""
    return _time(at, otherwise, relative=False)


def moment_of(text: str) -> Markup:
    """Return the same of a moment as ISO 8601 writes it, as problem documents do."""
    return moment(datetime.fromisoformat(text))


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
    """Return a count; 10,001 is where counting stopped, beyond it the number is known."""
    return f"{CAP:,}+" if number == CAP + 1 else f"{number:,}"


def short(value: object) -> Markup:
    """Return the end of an id, where UUIDv7 differ, with the whole one on hover."""
    text = str(value)
    return Markup('<code class="plain" title="{}">{}</code>').format(text, text[-8:])


def words(name: str) -> str:
    """Return an identifier such as `false_positive` as words: "False positive"."""
    return str(escape(name)).replace("_", " ").replace("-", " ").capitalize()
