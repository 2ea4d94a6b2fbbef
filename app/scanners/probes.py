"""What goes into a probe and what comes out: plain data that Temporal can carry, under 1 MB."""

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


@dataclass(frozen=True)
class Ticket:
    """All that a probe needs for one run.

    `target` is an absolute http(s) URL for network tools; `document` is text for text tools. `allowed` names the exact
    `address:port` pairs that may be reached although they are not global. `seconds` bounds the whole run.
    """

    scan_id: str
    tool: str
    target: str | None = None
    document: str | None = None
    allowed: list[str] = field(default_factory=list)
    resolvers: list[str] = field(default_factory=list)
    user_agent: str = "Sentinel"
    seconds: float = 60.0


@dataclass(frozen=True)
class Fault:
    """One thing found: `rule` names what, `location` where; both together are its fingerprint on an asset.

    `evidence` is plain text with secrets and personal data masked; `cwe` is a CWE number.
    """

    rule: str
    title: str
    severity: str
    evidence: str
    remedy: str
    location: str
    cwe: int | None = None


@dataclass(frozen=True)
class Artefact:
    """What a probe brings back. `failure` says why nothing could be examined; `partial` that not all was."""

    tool: str
    faults: list[Fault] = field(default_factory=list)
    partial: bool = False
    notes: list[str] = field(default_factory=list)
    observed: dict[str, str] = field(default_factory=dict)
    failure: str | None = None
