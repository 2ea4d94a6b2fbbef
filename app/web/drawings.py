"""The graph of assets and findings as a picture: assets at the left, what was found on them at the right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, ROW, TOP = 900, 40, 14
NODE_WIDTH, FINDING_X, FINDING_WIDTH = 250, 430, 456
NODE_HEIGHT = 32
_ORDER = {"critical": 0, "high": 1, "medium": 2, "low": 3, "info": 4}


@dataclass(frozen=True)
class Edge:
    """An asset and one finding on it."""

    asset_id: str
    asset_name: str
    finding_id: str
    title: str
    severity: str


def draw(edges: Sequence[Edge], asset_url: Callable[[Edge], str], finding_url: Callable[[Edge], str]) -> Markup:
    """Return the picture: each node a link, findings grouped by asset, worst first."""
    names = sorted({(edge.asset_name, edge.asset_id) for edge in edges})
    parts: list[Markup] = []
    row = 0.0
    for _name, asset_id in names:
        own = sorted((e for e in edges if e.asset_id == asset_id), key=lambda e: (_ORDER.get(e.severity, 9), e.title))
        middle = TOP + (row + (len(own) - 1) / 2) * ROW + NODE_HEIGHT / 2
        for offset, edge in enumerate(own):
            y = TOP + (row + offset) * ROW
            parts.append(_edge(middle, y + NODE_HEIGHT / 2, edge.severity))
            parts.append(_finding(edge, y, finding_url(edge)))
        parts.append(_asset(own[0], len(own), middle - 22, asset_url(own[0])))
        row += len(own) + 0.5
    return Markup('<svg viewBox="0 0 {} {}" role="group" aria-label="{}">{}</svg>').format(
        WIDTH, round(TOP + max(row, 1) * ROW), f"{len(names)} assets, {len(edges)} findings", Markup("").join(parts)
    )


def _edge(start: float, end: float, severity: str) -> Markup:
    left, right = NODE_WIDTH + 4, FINDING_X
    return Markup('<path class="edge edge-{}" d="M{} {} C{} {} {} {} {} {}"/>').format(
        severity, left, round(start, 1), left + 90, round(start, 1), right - 90, round(end, 1), right, round(end, 1)
    )


def _asset(edge: Edge, number: int, y: float, url: str) -> Markup:
    noun = "finding" if number == 1 else "findings"
    return Markup(
        '<a href="{}"><title>{}</title><rect class="node" x="4" y="{}" width="{}" height="44" rx="8"/>'
        '<text x="18" y="{}">{}</text><text class="faint" x="18" y="{}">{} {}</text></a>'
    ).format(
        url,
        edge.asset_name,
        round(y, 1),
        NODE_WIDTH,
        round(y + 19, 1),
        _cut(edge.asset_name, 31),
        round(y + 35, 1),
        number,
        noun,
    )


def _finding(edge: Edge, y: float, url: str) -> Markup:
    return Markup(
        '<a href="{}"><title>{}: {}</title><rect class="node" x="{}" y="{}" width="{}" height="{}" rx="8"/>'
        '<rect class="fill-{}" x="{}" y="{}" width="6" height="{}" rx="3"/>'
        '<text x="{}" y="{}">{}</text><text class="faint" x="{}" y="{}" text-anchor="end">{}</text></a>'
    ).format(
        url,
        edge.severity.capitalize(),
        edge.title,
        FINDING_X,
        round(y, 1),
        FINDING_WIDTH,
        NODE_HEIGHT,
        edge.severity,
        FINDING_X + 6,
        round(y + 7, 1),
        NODE_HEIGHT - 14,
        FINDING_X + 22,
        round(y + 20.5, 1),
        _cut(edge.title, 52),
        FINDING_X + FINDING_WIDTH - 12,
        round(y + 20.5, 1),
        edge.severity.capitalize(),
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
