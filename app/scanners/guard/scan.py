"""The text guard over a document: every match a fault, with its place, a masked sample and what to do."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from app.scanners.guard.assessments import assess, preload
from app.scanners.guard.shapes import MAX_CHARACTERS, Assessment, Match, RuleHit
from app.scanners.probes import Artefact, Fault, Severity, Ticket
from app.scanners.progress import report_step

TOOL = "text"
MAX_FAULTS = 500
_FAULT_AT = 0.5
_BLANKS = re.compile(r"\W+|\d+")


@dataclass(frozen=True, slots=True)
class _Meaning:
    severity: Severity
    cwe: int
    remedy: str


_PERSONAL = "Remove or mask it, keep it only where it is needed, and check who could read this document."
_PAYMENT = "Remove it: card data must not be kept in clear (PCI DSS 3.4). Mask all but the last four digits."
_SECRET = "Revoke it and issue a new one, look through its use, and keep it in a secret store instead of a text."  # noqa: S105
_ORDER = "Treat this text as data: do not hand it to a model that holds tools or secrets, and check where it came from."

_MEANINGS = {
    "credit-card": _Meaning(Severity.HIGH, 359, _PAYMENT),
    "card-security-code": _Meaning(Severity.HIGH, 359, _PAYMENT),
    "iban": _Meaning(Severity.MEDIUM, 359, _PERSONAL),
    "bank-account": _Meaning(Severity.MEDIUM, 359, _PERSONAL),
    "us-ssn": _Meaning(Severity.HIGH, 359, _PERSONAL),
    "national-id": _Meaning(Severity.HIGH, 359, _PERSONAL),
    "passport": _Meaning(Severity.HIGH, 359, _PERSONAL),
    "driver-licence": _Meaning(Severity.MEDIUM, 359, _PERSONAL),
    "medical-record": _Meaning(Severity.HIGH, 359, _PERSONAL),
    "date-of-birth": _Meaning(Severity.MEDIUM, 359, _PERSONAL),
    "email": _Meaning(Severity.LOW, 359, _PERSONAL),
    "phone": _Meaning(Severity.LOW, 359, _PERSONAL),
    "ip-address": _Meaning(Severity.INFO, 359, _PERSONAL),
    "crypto-wallet": _Meaning(Severity.LOW, 359, _PERSONAL),
    "password": _Meaning(Severity.HIGH, 312, _SECRET),
    "private-key": _Meaning(Severity.CRITICAL, 321, _SECRET),
    "aws-access-key": _Meaning(Severity.CRITICAL, 798, _SECRET),
}
_TOKEN = _Meaning(Severity.HIGH, 798, _SECRET)


def warm() -> None:
    """Load all that a scan needs, before the process forks one for each: it takes about a second."""
    preload()


def probe(ticket: Ticket) -> Artefact:
    """The faults of `ticket.document`, at most 500, in the order of the text.

    A fault's location is its kind and a digest of the words around it in its line: the same text gives the same
    locations, and lines added elsewhere change none. No value found stands in the artefact.
    """
    if ticket.document is None:
        return Artefact(TOOL, failure="There is no document to examine.")
    report_step("Examination")
    answer = assess(ticket.document)
    text = ticket.document[:MAX_CHARACTERS]
    faults: list[Fault] = []
    repeated: Counter[str] = Counter()
    masked = _Masked(text, answer)
    for item in _in_order(answer):
        fault = _fault(item, masked)
        repeated[fault.location] += 1
        faults.append(_numbered(fault, repeated[fault.location]))
    notes = []
    if answer.partial:
        notes.append("Only the first 1,000,000 characters were examined.")
    if len(faults) > MAX_FAULTS:
        notes.append(f"{len(faults)} places were found; the first {MAX_FAULTS} are listed.")
    return Artefact(
        TOOL,
        faults=faults[:MAX_FAULTS],
        partial=answer.partial or len(faults) > MAX_FAULTS,
        notes=notes,
        observed={
            "policy": answer.policy_version,
            "risk score": f"{answer.risk_score:.2f}",
            "blocked": "yes" if answer.blocked else "no",
            "characters": str(len(text)),
        },
    )


def _in_order(answer: Assessment) -> Iterator[Match | RuleHit]:
    items: list[Match | RuleHit] = [*answer.pii, *answer.secrets]
    items += [hit for hit in answer.injection.rules if hit.score >= _FAULT_AT]
    yield from sorted(items, key=lambda item: (item.start, item.end))


class _Masked:
    """The text with every match masked, its lines counted."""

    def __init__(self, text: str, answer: Assessment) -> None:
        self._secrets = {match.kind for match in answer.secrets}
        self._line_ends = [found.start() for found in re.finditer(r"\n", text)]
        characters = list(text)
        for match in (*answer.pii, *answer.secrets):
            characters[match.start : match.end] = "*" * (match.end - match.start)
        self.text = "".join(characters)

    def line(self, place: int) -> int:
        """The number of the line, from 1, that holds `place`."""
        low, high = 0, len(self._line_ends)
        while low < high:
            middle = (low + high) // 2
            if self._line_ends[middle] < place:
                low = middle + 1
            else:
                high = middle
        return low + 1

    def digest(self, kind: str, start: int, end: int) -> str:
        """Twelve hex digits of `kind` and the words around it in its line: no digit and no masked value."""
        before = self.text[max(0, start - 48) : start].rpartition("\n")[2]
        near = before + " " + self.text[end : end + 24].partition("\n")[0]
        words = _BLANKS.sub(" ", near).strip().lower()
        return sha256(f"{kind}\n{words}".encode("utf-8", "replace")).hexdigest()[:12]

    def is_secret(self, kind: str) -> bool:
        """Whether `kind` is one of the secrets found."""
        return kind in self._secrets


def _fault(item: Match | RuleHit, masked: _Masked) -> Fault:
    line = masked.line(item.start)
    if isinstance(item, RuleHit):
        said = " ".join(masked.text[item.start : item.end].split())[:160]
        disguise = f" ({item.evasion})" if item.evasion else ""
        return Fault(
            rule=f"text.injection.{item.rule}",
            title=f"Orders to a model: {item.rule.replace('-', ' ')}{disguise}",
            severity=Severity.HIGH if item.score >= 0.7 else Severity.MEDIUM,
            evidence=f"Line {line}, certainty {item.score:.2f}: {said}",
            remedy=_ORDER,
            location=f"{item.rule} {masked.digest(item.rule, item.start, item.end)}",
            cwe=1427,
        )
    family = "secret" if masked.is_secret(item.kind) else "pii"
    meaning = _MEANINGS.get(item.kind, _TOKEN)
    return Fault(
        rule=f"text.{family}.{item.kind}",
        title=f"{_TITLES.get(item.kind, item.kind.replace('-', ' ').capitalize())} in the text",
        severity=meaning.severity,
        evidence=f"Line {line}, certainty {item.score:.2f}: {item.sample}",
        remedy=meaning.remedy,
        location=f"{item.kind} {masked.digest(item.kind, item.start, item.end)}",
        cwe=meaning.cwe,
    )


_TITLES = {
    "credit-card": "Payment card number",
    "card-security-code": "Card security code",
    "iban": "IBAN",
    "us-ssn": "US social security number",
    "national-id": "National identity number",
    "driver-licence": "Driving licence number",
    "medical-record": "Medical record or insurance number",
    "email": "E-mail address",
    "phone": "Telephone number",
    "ip-address": "A person's IP address",
    "aws-access-key": "AWS access key",
    "jwt": "JSON web token",
    "generic-secret": "Key or token",
}


def _numbered(fault: Fault, number: int) -> Fault:
    return fault if number == 1 else replace(fault, location=f"{fault.location} #{number}")
