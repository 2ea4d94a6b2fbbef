"""Payment cards: their numbers, also mistyped ones, and security codes."""
# ruff: noqa: E501 - a pattern is one line, to be read and searched as one

import re
from collections.abc import Iterator

from app.scanners.guard import vocabularies as said
from app.scanners.guard.contexts import Around, around
from app.scanners.guard.recognisers import certainty

Found = tuple[str, int, int, float]
"""Kind, start, end, score."""

_GAP = r"(?: {0,2}[-./_·|] {0,2}| {1,3})"
_CARD = re.compile(
    rf"(?<![A-Za-z0-9_.+])(?<!\w[-/])(?:\d{{4}}(?:{_GAP}\d{{4}}){{3}}(?:{_GAP}\d{{3}}(?!\d))?"
    rf"|3\d{{3}}{_GAP}\d{{6}}{_GAP}\d{{4,5}}"
    r"|\d{13,19}"
    r"|\d(?:[ -]\d){12,18})(?![A-Za-z0-9_])(?!\.\d)(?!-\w)"
)
_NO_DIGIT = re.compile(r"\D+")
_SECURITY_CODE = re.compile(
    r"\b(?:cvv2?|cvc2?|cvn|csc|security code|kartenprufnummer|prufziffer|cryptogramme)\b[^\d\n]{0,20}(?<!\d)(\d{3,4})(?![\d.])",
    re.IGNORECASE,
)


def cards(text: str) -> Iterator[Found]:
    """Card numbers: by checksum and issuer, or, where the checksum fails, by the words that call them a card."""
    for found in _CARD.finditer(text):
        start, end = found.span()
        digits = digits_of(found.group())
        if len(digits) > 16 and not luhn(digits) and luhn(digits[:16]) and " " in found.group():
            end = start + len(found.group()[:-3].rstrip(" -./_·|"))
            digits = digits[:16]
        score = _card_score(digits, found.group(), around(text, start, end))
        if score:
            yield "credit-card", start, end, score


def _card_score(digits: str, value: str, near: Around) -> float:
    if len(set(digits)) < 3 or not 13 <= len(digits) <= 19:
        return 0.0
    called = near.speaks_of(said.CARD, rather_than=said.NOT_CARD)
    paying = near.speaks_of(said.PAYING, rather_than=said.NOT_CARD, reach=6)
    otherwise = near.distance(said.NOT_CARD, reach=5)
    issued = has_issuer(digits)
    grouped = len(digits) != len(value)
    if issued and luhn(digits) and (certainty("CREDIT_CARD", digits) == 1.0 or digits[0] == "2"):
        return 1.0 if called else 0.9 if otherwise is None else 0.7 if paying else 0.4
    if called:
        return 0.8 if issued else 0.65 if grouped and len(digits) == 16 else 0.0
    return 0.65 if paying and issued and grouped else 0.0


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812-1."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + index % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def has_issuer(digits: str) -> bool:
    """Whether a card network issues numbers with this beginning and length."""
    two, four, length = int(digits[:2]), int(digits[:4]), len(digits)
    if digits[0] == "4":
        return length in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16
    if two in (34, 37):
        return length == 15
    if two in (36, 38, 39) or 300 <= int(digits[:3]) <= 305:
        return 14 <= length <= 19
    return (two in (35, 50, 60, 62, 64, 65) or 56 <= two <= 69) and 16 <= length <= 19


def security_codes(text: str) -> Iterator[Found]:
    """The three or four digits that a text calls a security code."""
    for found in _SECURITY_CODE.finditer(text):
        yield "card-security-code", found.start(1), found.end(1), 0.85


def digits_of(value: str) -> str:
    """The digits of `value` alone."""
    return _NO_DIGIT.sub("", value)
