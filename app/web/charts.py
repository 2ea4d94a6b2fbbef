"""Charts as SVG: the same picture for the page and for print, each bar a link to the rows that it counts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

WIDTH, HEIGHT = 960, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 20, 12, 28

# How a tone is told apart without its colour: the pattern that lies over it.
PATTERNS: Mapping[str, str] = {
    "main": "",
    "good": "",
    "bad": '<path class="hatch" d="M-2 2 2-2M0 8 8 0M6 10 10 6"/>',
    "critical": "",
    "high": '<path class="hatch" d="M-2 2 2-2M0 8 8 0M6 10 10 6"/>',
    "medium": '<path class="hatch" d="M0 4H8"/>',
    "low": '<circle class="hatch-dots" cx="4" cy="4" r="1.7"/>',
    "info": '<path class="hatch" d="M0 4H8M4 0V8"/>',
}


@dataclass(frozen=True)
class Series:
    """One part of each bar; `tone` is a key of PATTERNS."""

    name: str
    tone: str = "main"


@dataclass(frozen=True)
class Bar:
    """One day: a value for each series, bottom first, and the address of the rows that it counts."""

    day: date
    values: tuple[int, ...]
    url: str | None = None

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True)
class Chart:
    """A chart of bars, one a day; `unit` is a plural noun ("calls"), `name` is unique on its page.

    Of a `stock` each bar is how many there were at the end of its day, and the whole is what the last one says.
    """

    name: str
    title: str
    unit: str
    series: tuple[Series, ...]
    bars: tuple[Bar, ...]
    stock: bool = False

    @property
    def total(self) -> int:
        if self.stock:
            return self.bars[-1].total if self.bars else 0
        return sum(bar.total for bar in self.bars)

    def noun(self, number: int) -> str:
        """Return the unit as it stands after that number."""
        return self.unit.removesuffix("s") if number == 1 else self.unit

    @property
    def svg(self) -> Markup:
        return bars_svg(self)


def scale(highest: int) -> tuple[int, int]:
    """Return the top of the axis and its step: round numbers, at most five lines, never below `highest`."""
    if highest <= 4:
        return 4, 1
    raw = highest / 4
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(int(m * magnitude) for m in (1, 2, 5, 10) if m * magnitude >= raw and m * magnitude >= 1)
    return step * math.ceil(highest / step), step


def bars_svg(chart: Chart) -> Markup:
    """Return the picture of `chart`; every bar says its numbers in words."""
    top, step = scale(max((bar.total for bar in chart.bars), default=0))
    plot = HEIGHT - TOP - BOTTOM
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(chart.bars))
    parts = [_patterns(chart), *_axis(top, step, plot)]
    parts.extend(_target(chart, bar, LEFT + index * slot, slot) for index, bar in enumerate(chart.bars) if bar.total)
    parts.append(_fills(chart, slot, plot / top))
    parts.extend(_days(chart.bars, slot))
    label = f"{chart.title}: {chart.total:,} {chart.noun(chart.total)}"
    return Markup('<svg viewBox="0 0 {} {}" role="group" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, label, Markup("").join(parts)
    )


def shares(name: str, counts: Sequence[tuple[str, int]]) -> Markup:
    """Return one bar that shows how a whole is divided; `counts` are pairs of tone and number."""
    whole = sum(number for _, number in counts) or 1
    parts: list[Markup] = []
    x = 0.0
    for tone, number in counts:
        if number:
            width = max(number / whole * 400, 4)
            parts.append(_filled(name, tone, x, 0, width - 1, 10))
            x += width
    return Markup(
        '<svg class="shares" viewBox="0 0 {} 10" preserveAspectRatio="none" aria-hidden="true"><defs>{}</defs>{}</svg>'
    ).format(round(max(x, 1), 2), _pattern_defs(name, [tone for tone, _ in counts]), Markup("").join(parts))


def swatch(name: str, tone: str) -> Markup:
    """Return the sample of a tone for a legend; the patterns of `name` must be in the page."""
    return Markup('<span class="tone-mark"><svg viewBox="0 0 14 14" aria-hidden="true">{}</svg></span>').format(
        _filled(name, tone, 0, 0, 14, 14)
    )


def _filled(name: str, tone: str, x: float, y: float, width: float, height: float) -> Markup:
    place = Markup('x="{}" y="{}" width="{}" height="{}"').format(
        round(x, 2), round(y, 2), round(width, 2), round(height, 2)
    )
    over = Markup('<rect {} fill="url(#{}-{})"/>').format(place, name, tone) if PATTERNS[tone] else Markup("")
    return Markup('<rect {} class="fill-{}"/>{}').format(place, tone, over)


def _pattern_defs(name: str, tones: Sequence[str]) -> Markup:
    return Markup("").join(
        Markup('<pattern id="{}-{}" width="8" height="8" patternUnits="userSpaceOnUse">{}</pattern>').format(
            name,
            tone,
            Markup(PATTERNS[tone]),  # noqa: S704 - constants of this module
        )
        for tone in dict.fromkeys(tones)
        if PATTERNS[tone]
    )


def _patterns(chart: Chart) -> Markup:
    return Markup("<defs>{}</defs>").format(_pattern_defs(chart.name, [series.tone for series in chart.series]))


def _axis(top: int, step: int, plot: int) -> list[Markup]:
    lines = []
    for value in range(0, top + 1, step):
        y = TOP + plot - value / top * plot
        kind = "base" if value == 0 else "axis"
        lines.append(
            Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                kind, LEFT, WIDTH - RIGHT, round(y, 1), round(y, 1)
            )
        )
        lines.append(
            Markup('<text x="{}" y="{}" text-anchor="end" aria-hidden="true">{}</text>').format(
                LEFT - 8, round(y + 4, 1), f"{value:,}"
            )
        )
    return lines


def _target(chart: Chart, bar: Bar, x: float, slot: float) -> Markup:
    """Return what one points at: the whole height of a bar's place, with the words and the address."""
    place = Markup('<rect class="bar-back" x="{}" y="{}" width="{}" height="{}"/>').format(
        round(x + 1, 2), TOP, round(slot - 2, 2), HEIGHT - BOTTOM - TOP
    )
    body = Markup("<title>{}</title>{}").format(_said(chart, bar), place)
    return Markup('<a href="{}">{}</a>').format(bar.url, body) if bar.url else Markup("<g>{}</g>").format(body)


def _fills(chart: Chart, slot: float, unit: float) -> Markup:
    """Return the bars themselves: one path for each tone, so that many bars stay a light page."""
    gap = min(slot * 0.28, 14)
    width = round(slot - gap, 1)
    drawn: dict[str, list[str]] = {series.tone: [] for series in chart.series}
    for index, bar in enumerate(chart.bars):
        x, y = round(LEFT + index * slot + gap / 2, 1), float(HEIGHT - BOTTOM)
        for series, value in zip(chart.series, bar.values, strict=True):
            if value:
                height = max(value * unit, 1.5)
                y -= height
                drawn[series.tone].append(f"M{x} {round(y, 1)}h{width}v{round(height, 1)}h-{width}z")
    parts = []
    for tone, paths in drawn.items():
        if paths:
            path = "".join(paths)
            over = Markup('<path d="{}" fill="url(#{}-{})"/>').format(path, chart.name, tone) if PATTERNS[tone] else ""
            parts.append(Markup('<path d="{}" class="fill-{}"/>{}').format(path, tone, over))
    return Markup('<g pointer-events="none">{}</g>').format(Markup("").join(parts))


def _said(chart: Chart, bar: Bar) -> str:
    detail = ""
    if len(chart.series) > 1 and bar.total:
        pairs = zip(chart.series, bar.values, strict=True)
        detail = " (" + ", ".join(f"{value:,} {series.name.lower()}" for series, value in pairs if value) + ")"
    return f"{bar.day:%-d %b}: {bar.total:,} {chart.noun(bar.total)}{detail}"


def _days(bars: Sequence[Bar], slot: float) -> list[Markup]:
    every = max(1, math.ceil(len(bars) / 8))
    return [
        Markup('<text x="{}" y="{}" text-anchor="middle" aria-hidden="true">{}</text>').format(
            round(LEFT + (index + 0.5) * slot, 1), HEIGHT - 8, f"{bar.day:%-d %b}"
        )
        for index, bar in enumerate(bars)
        if (len(bars) - 1 - index) % every == 0
    ]
