"""Prompt injection: orders to a model in a text, also when they are spelled, encoded or dressed up."""

import re
from collections.abc import Iterator
from dataclasses import replace

from app.scanners.guard.disguises import undisguised, unpacked
from app.scanners.guard.injection_rules import DELIMITERS, RULES, SPLIT_LANGUAGES
from app.scanners.guard.shapes import Injection, RuleHit
from app.scanners.guard.views import View
from app.scanners.guard.words import Rulebook, Words, word_set

_WORDS = re.compile(r"[^\W_]+")
_REPORTING = word_set(
    "attack attacks attacker attackers attempt attempts attempted injection injections payload payloads jailbreak "
    "jailbreaks malicious adversary phishing blocked detected detection alert reported report reports example "
    "examples finding findings evidence proof poc exploit vulnerability vulnerable cve owasp pentest researcher "
    "researchers quoted quote quotes wrote writes typed entered submitted tried tries pasted string strings "
    "phrase phrases such classifier regex signature angriff angreifer versuch schrieb eingegeben meldung attaque "
    "attaquant ataque atacante escribio"
)
_QUOTES = (('"', '"'), ("'", "'"), ("`", "`"), ("“", "”"), ("„", "“"), ("«", "»"), ("‘", "’"), ("»", "«"))
_REACH = 200
_RULES = Rulebook(RULES)
QUOTED_SHARE = 0.4
"""What is left of a rule's weight when the text reports the words instead of using them."""
DISGUISED = 0.05
"""What a disguise adds: an honest text needs none."""


def injection(view: View, words: Words) -> Injection:
    """The injection score of a text and the rules that fired, with their places in the original."""
    hits = list(_direct(view, words))
    for other, evasion in undisguised(view, words):
        hits += [_disguised(hit, evasion) for hit in _direct(other, Words(other.text))]
    for start, end, inner, evasion in unpacked(view):
        hits += [_disguised(replace(hit, start=start, end=end), evasion) for hit in _direct(View(inner), Words(inner))]
    best: dict[tuple[str, int], RuleHit] = {}
    for hit in hits:
        key = (hit.rule, hit.start)
        if key not in best or best[key].score < hit.score:
            best[key] = hit
    kept = tuple(sorted(best.values(), key=lambda hit: (hit.start, hit.rule)))
    return Injection(_together(kept), kept)


def _disguised(hit: RuleHit, evasion: str) -> RuleHit:
    return replace(hit, evasion=evasion, score=round(min(1.0, hit.score + DISGUISED), 2))


def _together(hits: tuple[RuleHit, ...]) -> float:
    by_rule: dict[str, float] = {}
    for hit in hits:
        by_rule[hit.rule] = max(by_rule.get(hit.rule, 0.0), hit.score)
    left = 1.0
    for score in by_rule.values():
        left *= 1.0 - score
    return round(1.0 - left, 2)


def _direct(view: View, words: Words) -> Iterator[RuleHit]:
    text = view.text
    for rule, found in words.matches(_RULES):
        yield _hit(view, rule.name, rule.weight, found)
    for name, weight, needed, pattern in DELIMITERS:
        if not needed or any(character in text for character in needed):
            for found in pattern.finditer(text):
                yield _hit(view, name, weight, found)
    if not text.isascii():
        for literal, pattern in SPLIT_LANGUAGES:
            if literal in text:
                for found in pattern.finditer(text):
                    yield _hit(view, "other-languages", 0.9, found)


def _hit(view: View, name: str, weight: float, found: re.Match[str]) -> RuleHit:
    share = QUOTED_SHARE if reported(view.text, found.start(), found.end()) else 1.0
    start, end = view.span(found.start(), max(found.end(), found.start() + 1))
    return RuleHit(name, start, end, round(weight * share, 2))


def reported(text: str, start: int, end: int) -> bool:
    """Whether the stretch is quoted (marks, code, a quoted line) and the words around it speak of an attack."""
    before = text[max(0, start - _REACH) : start]
    after = text[end : end + _REACH]
    line = before.rpartition("\n")[2]
    if not (line.lstrip().startswith((">", "|")) or "```" in before or _in_quotes(line, after)):
        return False
    near = _WORDS.findall(f"{before} {after[:80]}")
    return not _REPORTING.isdisjoint(word.lower() for word in near)


def _in_quotes(line: str, after: str) -> bool:
    rest = after.partition("\n\n")[0]
    for opening, closing in _QUOTES:
        place = line.rfind(opening)
        while place > 0 and opening == "'" and line[place - 1].isalnum():
            place = line.rfind(opening, 0, place)
        if place >= 0 and closing in rest and closing not in line[place + 1 :]:
            return True
    return False
