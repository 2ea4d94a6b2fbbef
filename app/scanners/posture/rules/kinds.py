"""What a rule of the posture scanner is."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.scanners.probes import Severity


@dataclass(frozen=True)
class Rule:
    """One kind of fault: a stable id, its weight, its CWE number, what to do, and the document that says so."""

    id: str
    title: str
    severity: Severity
    cwe: int | None
    remedy: str
    source: str


def by_id(*rules: Rule) -> Mapping[str, Rule]:
    """Return the rules by their ids, in the order given, unchangeable."""
    return MappingProxyType({rule.id: rule for rule in rules})
