"""One text in, one assessment out: detectors run, matches that overlap settled, risk added up, values taken out."""

from collections.abc import Iterable

from app.scanners.guard.credentials import credentials
from app.scanners.guard.injections import injection
from app.scanners.guard.personal import personal
from app.scanners.guard.recognisers import load
from app.scanners.guard.redactions import redacted, sample
from app.scanners.guard.shapes import DEFAULT, MAX_CHARACTERS, Assessment, Detector, GuardPolicy, Match
from app.scanners.guard.views import View, plain_view
from app.scanners.guard.words import Words

_SECRET_WEIGHT = 0.95
Found = tuple[str, int, int, float]


def preload() -> None:
    """Build every recogniser now, so that processes forked later share it."""
    load()
    assess("Warm up: a@example.com, +1 212 555 0123, card 4111 1111 1111 1111, пароль")


def assess(text: str, *, policy: GuardPolicy = DEFAULT) -> Assessment:
    """What is in `text` and whether `policy` blocks it. Never raises for any str; reads at most 1,000,000 characters.

    Offsets count characters of `text` as given. Time grows linearly with length. Thread-safe.
    """
    partial = len(text) > MAX_CHARACTERS
    read = text[:MAX_CHARACTERS]
    view = plain_view(read)
    words = Words(view.text)
    secrets = _settled(_matches(view, credentials(view.text), policy), [])
    pii = _settled(_matches(view, personal(view.text, words), policy), secrets)
    orders = injection(view, words)
    risks = {
        Detector.PII: _risk(pii, policy, policy.default_weight),
        Detector.SECRETS: _risk(secrets, policy, _SECRET_WEIGHT),
        Detector.INJECTION: orders.score,
    }
    left = 1.0
    for risk in risks.values():
        left *= 1.0 - risk
    score = round(1.0 - left, 2)
    return Assessment(
        blocked=score >= policy.block_at,
        risk_score=score,
        risks=risks,
        pii=tuple(pii),
        secrets=tuple(secrets),
        injection=orders,
        redacted=redacted(read, [*pii, *secrets]),
        policy_version=policy.version,
        partial=partial,
    )


def _matches(view: View, found: Iterable[Found], policy: GuardPolicy) -> list[Match]:
    matches = []
    for kind, low, high, score in found:
        if score < policy.report_at or kind in policy.ignored:
            continue
        start, end = view.span(low, high)
        matches.append(Match(kind, start, end, round(score, 2), sample(view.text[low:high], kind)))
    return matches


def _settled(matches: list[Match], taken: list[Match]) -> list[Match]:
    """`matches` in order of place, none overlapping another or one of `taken`: the surer stays, then the longer."""
    by_rank = sorted(matches, key=lambda match: (match.score, match.end - match.start), reverse=True)
    occupied = _Stretches([(match.start, match.end) for match in taken])
    return sorted((match for match in by_rank if occupied.claim(match.start, match.end)), key=lambda match: match.start)


class _Stretches:
    """Stretches of a text that exclude one another, looked up by blocks of 64 characters."""

    def __init__(self, taken: list[tuple[int, int]]) -> None:
        self._blocks: dict[int, list[tuple[int, int]]] = {}
        for start, end in taken:
            self.claim(start, end)

    def claim(self, start: int, end: int) -> bool:
        """Take `start` to `end` if it is free."""
        blocks = range(start // 64, (end - 1) // 64 + 1)
        for block in blocks:
            if any(start < other_end and other_start < end for other_start, other_end in self._blocks.get(block, ())):
                return False
        for block in blocks:
            self._blocks.setdefault(block, []).append((start, end))
        return True


def _risk(matches: list[Match], policy: GuardPolicy, default: float) -> float:
    """1 minus what the surest match of each kind leaves."""
    by_kind: dict[str, float] = {}
    for match in matches:
        weight = policy.weights.get(match.kind, default)
        by_kind[match.kind] = max(by_kind.get(match.kind, 0.0), weight * match.score)
    left = 1.0
    for risk in by_kind.values():
        left *= 1.0 - risk
    return round(1.0 - left, 2)
