"""Cross-origin answers: which origins a site says it trusts when it is asked with one that it cannot know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.scanners.posture.answers import Answer, path_of
from app.scanners.posture.evidence import found
from app.scanners.probes import Fault

FOREIGN = "https://origin-check.invalid"
NULL = "null"
_LOOKALIKE = "cors-lookalike-origin"


def lookalike_of(host: str) -> str:
    """Return an origin that begins as `host` does and belongs to somebody else."""
    return f"https://{host}.origin-check.invalid"


@dataclass(frozen=True)
class Grant:
    """What an answer allows one origin: whether its very name came back, and whether with credentials."""

    echoed: bool
    credentials: bool


def granted(answer: Answer, origin: str) -> Grant:
    """Read the answer to a request with that Origin."""
    allowed = answer.all("access-control-allow-origin")
    credentials = answer.all("access-control-allow-credentials")
    return Grant(
        echoed=len(allowed) == 1 and allowed[0].strip().lower() == origin.lower(),
        credentials=len(credentials) == 1 and credentials[0].strip() == "true",
    )


def judge_origins(answers: Mapping[str, Answer], host: str) -> Iterator[Fault]:
    """Yield what the answers, by the origin they were asked with, trust; the wider fault hides the narrower ones."""
    for origin, rule in ((FOREIGN, "cors-reflected"), (NULL, "cors-null-origin"), (lookalike_of(host), _LOOKALIKE)):
        answer = answers.get(origin)
        if answer is None:
            continue
        grant = granted(answer, origin)
        if not grant.echoed:
            continue
        name = "cors-reflected-credentials" if rule == "cors-reflected" and grant.credentials else rule
        seen = f"Origin: {origin} was answered by Access-Control-Allow-Origin: {origin}"
        if grant.credentials:
            seen += " with Access-Control-Allow-Credentials: true"
        yield found(name, path_of(answer.url), seen)
        if origin == FOREIGN:
            return
