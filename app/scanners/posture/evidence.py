"""Evidence: what was seen, as one short line of plain text without secrets or personal data."""

import re
from collections.abc import Iterable

from app.scanners.posture.rules import ALL_RULES
from app.scanners.probes import Fault

EVIDENCE_CHARACTERS = 400
LOCATION_CHARACTERS = 200

_EMAIL = re.compile(r"([\w.+-])[\w.+-]{0,63}@([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})")
_DIGITS = re.compile(r"\+?\d(?:[ ./-]?\d){7,}")
_TOKEN = re.compile(r"(?<![\w-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/=-]{24,}")
_QUERY = re.compile(r"\?[^\s'\">]*")


def found(rule_id: str, location: str, evidence: str) -> Fault:
    """Return the fault of that rule at that place; `evidence` must already be free of secrets (see the masks here)."""
    rule = ALL_RULES[rule_id]
    return Fault(
        rule=rule.id,
        title=rule.title,
        severity=rule.severity.value,
        evidence=one_line(evidence, EVIDENCE_CHARACTERS),
        remedy=rule.remedy,
        location=one_line(location, LOCATION_CHARACTERS),
        cwe=rule.cwe,
    )


def one_line(text: str, length: int) -> str:
    """Return the text on one line, without control characters or lone surrogates, at most `length` characters long."""
    head = text[: length * 4]
    plain = "".join(c if c.isprintable() else " " for c in head.encode("utf-8", "replace").decode())
    short = " ".join(plain.split())
    return short if len(short) <= length else short[: length - 1] + "…"


def masked(text: str) -> str:
    """Mask mail addresses, long numbers and long tokens, as a header's value may hold any of them."""
    head = text[: EVIDENCE_CHARACTERS * 4]
    head = _EMAIL.sub(r"\1***@\2", head)
    head = _TOKEN.sub(lambda found: found.group()[:4] + "***", head)
    return _DIGITS.sub(lambda found: found.group()[:2] + "***" if len(found.group()) > 9 else found.group(), head)


def without_query(url: str) -> str:
    """Return the address without what may hold a secret: query, fragment, user and password."""
    head = url.split("#", 1)[0]
    head = re.sub(r"//[^/@\s]*@", "//", head)
    return masked(_QUERY.sub("?…", head))


def listed(items: Iterable[str], most: int = 5) -> str:
    """Return the first items, and how many there are beyond."""
    every = list(items)
    rest = len(every) - most
    return ", ".join(every[:most]) + (f" and {rest} more" if rest > 0 else "")
