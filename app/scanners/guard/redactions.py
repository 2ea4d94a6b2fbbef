"""Texts without what was found in them: neither at the place of a match nor anywhere else."""

from collections.abc import Iterable, Sequence

from app.scanners.guard.shapes import Match

_BLOCK = "█"


def redacted(text: str, matches: Sequence[Match]) -> str:
    """`text` with each matched value replaced by `[its kind]`, wherever the value stands again too.

    No matched value is left: where a label itself would spell one, blocks stand in its place. Linear in length.
    """
    if not matches:
        return text
    values = {text[match.start : match.end]: match.kind for match in matches}
    spans = [(match.start, match.end, match.kind) for match in matches]
    spans += [(start, start + len(value), values[value]) for start, value in occurrences(text, values)]
    result = _replaced(text, spans, named=True)
    if next(iter(occurrences(result, values)), None) is None:
        return result
    return _replaced(text, spans, named=False)


def occurrences(text: str, values: Iterable[str]) -> Iterable[tuple[int, str]]:
    """Where each of `values` stands in `text`: each by itself if that is little work, by a common key otherwise."""
    wanted = [value for value in values if value]
    if len(wanted) <= 24 or len(wanted) * len(text) <= 1_000_000:
        for value in wanted:
            place = text.find(value)
            while place >= 0:
                yield place, value
                place = text.find(value, place + len(value))
        return
    size = min(len(value) for value in wanted)
    by_key: dict[str, list[str]] = {}
    for value in wanted:
        by_key.setdefault(value[:size], []).append(value)
    for place in range(len(text) - size + 1):
        for value in by_key.get(text[place : place + size], ()):
            if text.startswith(value, place):
                yield place, value


def _replaced(text: str, spans: list[tuple[int, int, str]], *, named: bool) -> str:
    pieces: list[str] = []
    last = 0
    for start, end, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= last:
            pieces += [text[last:start], f"[{kind}]" if named else _BLOCK * 6]
        last = max(last, end)
    pieces.append(text[last:])
    return "".join(pieces)


def sample(value: str, kind: str) -> str:
    """The shape of `value`, masked: at most the last four characters (card, account) or the domain stay."""
    if kind == "email":
        return f"{value[0]}***@{value.rpartition('@')[2]}"
    if kind == "private-key":
        return "-----BEGIN ***"
    if kind.endswith(("-token", "-key")) and len(value) > 16:
        return value[:5] + "***"
    if kind == "password" or len(value) > 40:
        return "*" * 8
    keep = 4 if kind in ("credit-card", "iban", "bank-account") else 2 if kind == "phone" else 0
    tail = len(value) - keep
    return "".join("*" if character.isalnum() and index < tail else character for index, character in enumerate(value))
