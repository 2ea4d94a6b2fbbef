"""Prompt injection: orders to a model in a text, also when they are spelled, encoded or dressed up."""
# ruff: noqa: E501 - a pattern is one line, to be read and searched as one

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import replace

from app.scanners.guard.injection_rules import DELIMITERS, RULES, SPLIT_LANGUAGES, SQUEEZED, Rule
from app.scanners.guard.shapes import Injection, RuleHit
from app.scanners.guard.views import View, latin_view

_WORDS = re.compile(r"[^\W_]+(?:'t)?")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,8000}={0,2}(?![A-Za-z0-9+/_-])")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:[2-7][0-9A-Fa-f]){16,4000}(?![0-9A-Fa-f])")
_SPELLED = re.compile(r"(?<!\w)[A-Za-z](?:[ .\-_*|/\u00b7]{1,3}[A-Za-z](?!\w)){7,400}")
_LEET = re.compile(r"(?<![\w-])(?=[A-Za-z]*[0-9@$!])(?=[0-9@$!]*[A-Za-z])[A-Za-z0-9@$!]{3,20}(?![\w-])")
_LETTERS = str.maketrans("013457@$!", "oleastasi")
_LETTERS_I = str.maketrans("013457@$!", "oieastasi")
_ROT13 = re.compile(r"\b(?:vtaber|vafgehpgvbaf?|flfgrz|cebzcg|erirny|qvfertneq|cerivbhf|sbetrg)\b", re.IGNORECASE)
_REVERSED = re.compile(r"\b(?:erongi|snoitcurtsni|tpmorp|metsys|suoiverp|laever|dragersid)\b", re.IGNORECASE)
_REPORTING = frozenset(
    [
        "attack",
        "attacker",
        "attackers",
        "attempt",
        "attempts",
        "attempted",
        "injection",
        "injections",
        "payload",
        "payloads",
        "jailbreak",
        "jailbreaks",
        "malicious",
        "adversary",
        "phishing",
        "blocked",
        "detected",
        "detection",
        "alert",
        "reported",
        "report",
        "reports",
        "example",
        "examples",
        "e.g",
        "finding",
        "findings",
        "evidence",
        "proof",
        "poc",
        "exploit",
        "vulnerability",
        "vulnerable",
        "cve",
        "owasp",
        "red",
        "pentest",
        "researcher",
        "researchers",
        "quoted",
        "quote",
        "quotes",
        "wrote",
        "writes",
        "says",
        "said",
        "sent",
        "typed",
        "entered",
        "submitted",
        "tried",
        "tries",
        "pasted",
        "string",
        "strings",
        "phrase",
        "phrases",
        "such",
        "like",
        "test",
        "case",
        "payload",
        "classifier",
        "rule",
        "regex",
        "signature",
        "angriff",
        "angreifer",
        "versuch",
        "schrieb",
        "eingegeben",
        "meldung",
        "attaque",
        "attaquant",
        "ataque",
        "atacante",
        "escribio",
        "mensaje",
    ]
)
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "«": "»", "‘": "’", "»": "«"}
QUOTED_SHARE = 0.4
"""What is left of a rule's weight when the text reports the words instead of using them."""


def injection(view: View) -> Injection:
    """The injection score of a text and the rules that fired, with their places in the original."""
    hits = list(_direct(view))
    for other, evasion in _disguises(view):
        for hit in _direct(other):
            hits.append(replace(hit, evasion=evasion, score=min(1.0, hit.score + 0.05)))
    hits.extend(_decoded(view))
    best: dict[tuple[str, int], RuleHit] = {}
    for hit in hits:
        key = (hit.rule, hit.start)
        if key not in best or best[key].score < hit.score:
            best[key] = hit
    kept = tuple(sorted(best.values(), key=lambda hit: (hit.start, hit.rule)))
    return Injection(_together(kept), kept)


def _together(hits: tuple[RuleHit, ...]) -> float:
    by_rule: dict[str, float] = {}
    for hit in hits:
        by_rule[hit.rule] = max(by_rule.get(hit.rule, 0.0), hit.score)
    left = 1.0
    for score in by_rule.values():
        left *= 1.0 - score
    return round(1.0 - left, 2)


def _direct(view: View) -> Iterator[RuleHit]:
    text = view.text
    held = {word.lower() for word in _WORDS.findall(text)}
    for rule in RULES:
        if not rule.needs.isdisjoint(held):
            yield from _fired(view, rule.name, rule.weight, rule.pattern)
    for name, weight, pattern in DELIMITERS:
        yield from _fired(view, name, weight, pattern)
    if not text.isascii():
        for literal, pattern in SPLIT_LANGUAGES:
            if literal in text:
                yield from _fired(view, "other-languages", 0.9, pattern)


def _fired(view: View, name: str, weight: float, pattern: re.Pattern[str]) -> Iterator[RuleHit]:
    for found in pattern.finditer(view.text):
        if found.end() > found.start():
            share = QUOTED_SHARE if reported(view.text, found.start(), found.end()) else 1.0
            start, end = view.span(found.start(), found.end())
            yield RuleHit(name, start, end, round(weight * share, 2))


def reported(text: str, start: int, end: int) -> bool:
    """Whether the stretch stands in quotation marks, code or a quoted line, and the words before it speak of an attack."""
    before = text[max(0, start - 200) : start]
    after = text[end : end + 200]
    line = before.rpartition("\n")[2]
    quoted = line.lstrip().startswith((">", "|")) or "```" in before
    if not quoted:
        for opening, closing in _QUOTES.items():
            place = _opening(line, opening)
            if place >= 0 and closing in after.partition("\n\n")[0] and closing not in line[place + 1 :]:
                quoted = True
                break
    return quoted and not _REPORTING.isdisjoint(word.lower() for word in _WORDS.findall(before + " " + after[:80]))


def _opening(line: str, mark: str) -> int:
    place = line.rfind(mark)
    while place > 0 and mark == "'" and line[place - 1].isalnum():
        place = line.rfind(mark, 0, place)
    return place


def _disguises(view: View) -> Iterator[tuple[View, str]]:
    latin = latin_view(view)
    if latin:
        yield latin, "look-alike letters"
    if _ROT13.search(view.text):
        yield View(codecs.encode(view.text, "rot13"), view.offsets), "rot13"
    for letters in (_LETTERS, _LETTERS_I):
        plain = _LEET.sub(lambda found, letters=letters: found.group().translate(letters), view.text)  # type: ignore[misc]
        if plain != view.text:
            yield View(plain, view.offsets), "digits for letters"


def _decoded(view: View) -> Iterator[RuleHit]:
    """What stands in base64, hex, spelled-out or reversed stretches; a hit covers the whole stretch."""
    for pattern, decode, evasion in (
        (_BASE64, _from_base64, "base64"),
        (_HEX, _from_hex, "hex"),
        (_REVERSED_LINE, _from_reversed, "reversed"),
    ):
        for found in pattern.finditer(view.text):
            inner = decode(found.group())
            if inner:
                start, end = view.span(found.start(), found.end())
                for hit in _direct(View(inner)):
                    yield RuleHit(hit.rule, start, end, min(1.0, round(hit.score + 0.05, 2)), evasion)
    for found in _SPELLED.finditer(view.text):
        if SQUEEZED.search("".join(character for character in found.group().lower() if character.isalpha())):
            start, end = view.span(found.start(), found.end())
            yield RuleHit("override-instructions", start, end, 0.85, "spelled out")


_REVERSED_LINE = re.compile(r"^[^\n]{10,2000}$", re.MULTILINE)


def _from_reversed(line: str) -> str | None:
    return line[::-1] if _REVERSED.search(line) else None


def _from_base64(value: str) -> str | None:
    padded = value.rstrip("=").replace("-", "+").replace("_", "/")
    padded += "=" * (-len(padded) % 4)
    try:
        return _readable(base64.b64decode(padded))
    except (binascii.Error, ValueError):
        return None


def _from_hex(value: str) -> str | None:
    return _readable(bytes.fromhex(value))


def _readable(data: bytes) -> str | None:
    """`data` as text if it is one: at least nine in ten bytes printable ASCII, and a blank among them."""
    if b" " not in data or sum(32 <= byte < 127 or byte in (9, 10, 13) for byte in data) < 0.9 * len(data):
        return None
    return data.decode("utf-8", "replace")


__all__ = ["Rule", "injection", "reported"]
