"""The text guard: personal data, secrets and prompt injection in a text, by rules, with no network and no model."""

from app.scanners.guard.assessments import assess, preload
from app.scanners.guard.shapes import DEFAULT, MAX_CHARACTERS, Assessment, Detector, GuardPolicy, Match, RuleHit

__all__ = [
    "DEFAULT",
    "MAX_CHARACTERS",
    "Assessment",
    "Detector",
    "GuardPolicy",
    "Match",
    "RuleHit",
    "assess",
    "preload",
]
