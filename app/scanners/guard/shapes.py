"""What the guard is told and what it answers: frozen data that never holds a matched value in clear."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

MAX_CHARACTERS = 1_000_000


class Detector(StrEnum):
    """Which part of the guard speaks."""

    PII = "pii"
    SECRETS = "secrets"
    INJECTION = "injection"


@dataclass(frozen=True, slots=True)
class Match:
    """One stretch of the original text, `start` to `end` in characters (Unicode code points).

    `score` is the certainty, 0 to 1; `sample` shows the value's shape with all but its edges masked.
    """

    kind: str
    start: int
    end: int
    score: float
    sample: str


@dataclass(frozen=True, slots=True)
class RuleHit:
    """An injection rule that fired at `start` to `end` of the original text, with its weight there."""

    rule: str
    start: int
    end: int
    score: float
    evasion: str | None = None


@dataclass(frozen=True, slots=True)
class Injection:
    """How likely the text tries to give orders to a model, 0 to 1, and what says so."""

    score: float
    rules: tuple[RuleHit, ...] = ()


@dataclass(frozen=True)
class GuardPolicy:
    """Thresholds of one version: a text is blocked when its risk reaches `block_at`.

    `weights` says how much one certain match of a kind adds to the risk; `ignored` names kinds that are not looked for.
    """

    version: str
    block_at: float = 0.7
    report_at: float = 0.5
    weights: Mapping[str, float] = field(default_factory=dict)
    default_weight: float = 0.5
    ignored: frozenset[str] = frozenset()

    def weight(self, kind: str) -> float:
        """The risk, 0 to 1, of one certain match of `kind`."""
        return self.weights.get(kind, self.default_weight)


DEFAULT = GuardPolicy(
    version="default-1",
    weights=MappingProxyType(
        {
            "bank-account": 0.75,
            "card-security-code": 0.8,
            "credit-card": 0.95,
            "crypto-wallet": 0.4,
            "date-of-birth": 0.5,
            "driver-licence": 0.75,
            "email": 0.2,
            "iban": 0.8,
            "ip-address": 0.15,
            "medical-record": 0.8,
            "national-id": 0.85,
            "passport": 0.85,
            "phone": 0.3,
            "us-ssn": 0.95,
            "private-key": 1.0,
            "password": 0.85,
            "generic-secret": 0.8,
            "jwt": 0.85,
        }
    ),
)
"""Weights of every kind that is not named here: `default_weight` for personal data, 0.95 for secrets."""


@dataclass(frozen=True)
class Assessment:
    """The answer for one text.

    `risk_score` (two decimals) is 1 minus the product of what each detector leaves: `risks` decomposes it.
    `redacted` is the text with each matched value replaced. `partial` says that only the first 1,000,000 characters
    were read; the rest is not in `redacted`.
    """

    blocked: bool
    risk_score: float
    risks: Mapping[Detector, float]
    pii: tuple[Match, ...]
    secrets: tuple[Match, ...]
    injection: Injection
    redacted: str
    policy_version: str
    partial: bool = False

    @property
    def pii_kinds(self) -> tuple[str, ...]:
        """The kinds of personal data found, each once, sorted."""
        return tuple(sorted({match.kind for match in self.pii}))

    @property
    def secret_kinds(self) -> tuple[str, ...]:
        """The kinds of secrets found, each once, sorted."""
        return tuple(sorted({match.kind for match in self.secrets}))
