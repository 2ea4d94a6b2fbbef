"""Headers that guard a page: transport security, framing, sniffing, referrer, type, and what gives versions away."""

import re
from collections.abc import Iterator

from app.scanners.posture.answers import Answer
from app.scanners.posture.csp import CspSet, allows_any_framer
from app.scanners.posture.evidence import found, masked
from app.scanners.probes import Fault

HALF_A_YEAR = 15_552_000  # 180 days, in seconds
A_YEAR = 31_536_000

_HSTS = "strict-transport-security"
_UNSAFE_REFERRERS = frozenset({"unsafe-url", "no-referrer-when-downgrade"})
_REFERRERS = _UNSAFE_REFERRERS | {
    "no-referrer",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
}
_DISCLOSING = ("server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator", "x-runtime-version")
_VERSION = re.compile(r"\d+\.\d+|/\d+")


def judge_transport(answer: Answer) -> Iterator[Fault]:
    """Yield what is wrong with Strict-Transport-Security (RFC 6797) on this answer."""
    values = answer.all(_HSTS)
    if not answer.secure:
        if values:
            yield found("hsts-over-http", _HSTS, f"{_HSTS}: {masked(values[0])}")
        return
    if not values:
        yield found("hsts-missing", _HSTS, "The answer has no Strict-Transport-Security")
        return
    value = values[0]  # RFC 6797, 8.1: only the first header counts
    directives = _hsts_directives(value)
    age = directives.get("max-age", "") if directives is not None else ""
    if directives is None or not age.isascii() or not age.isdigit():
        yield found("hsts-malformed", _HSTS, f"{_HSTS}: {masked(value)}")
        return
    seconds = int(age[:12])
    if seconds < HALF_A_YEAR:
        yield found("hsts-short", _HSTS, f"max-age is {seconds} seconds ({seconds // 86_400} days)")
    subdomains = "includesubdomains" in directives
    if "preload" in directives:
        if seconds < A_YEAR or not subdomains:
            yield found("hsts-preload-ineligible", _HSTS, f"{_HSTS}: {masked(value)}")
    elif not subdomains:
        yield found("hsts-subdomains", _HSTS, f"{_HSTS}: {masked(value)}")


def _hsts_directives(value: str) -> dict[str, str] | None:
    """Return the directives, None where the header breaks the grammar (a directive twice makes it void)."""
    directives: dict[str, str] = {}
    for part in value.split(";"):
        name, _, argument = part.partition("=")
        name = name.strip().lower()
        if not name:
            continue
        if name in directives:
            return None
        directives[name] = argument.strip().strip('"')
    return directives


def judge_framing(answer: Answer, policies: CspSet) -> Iterator[Fault]:
    """Yield whether any site may frame the page: frame-ancestors first, then X-Frame-Options as the HTML standard."""
    ancestors = [policy for policy in policies.enforced if policy.sources("frame-ancestors") is not None]
    if ancestors:
        wide = allows_any_framer(ancestors)
        if wide:
            yield found("framing-ineffective", "frame-ancestors", masked(wide))
        return
    options = [part.strip().lower() for value in answer.all("x-frame-options") for part in value.split(",")]
    if not [option for option in options if option]:
        yield found("framing-missing", "x-frame-options", "Neither frame-ancestors nor X-Frame-Options was sent")
    elif not set(options) & {"deny", "sameorigin"}:
        yield found("framing-ineffective", "x-frame-options", f"x-frame-options: {masked(', '.join(options))}")


def judge_sniffing(answer: Answer) -> Iterator[Fault]:
    """Yield whether browsers may guess the content's type, and whether the answer names it at all."""
    values = [part.strip().lower() for value in answer.all("x-content-type-options") for part in value.split(",")]
    if not values or values[0] != "nosniff":
        seen = f"x-content-type-options: {masked(values[0])}" if values else "X-Content-Type-Options was not sent"
        yield found("sniffing", "x-content-type-options", seen)
    if answer.body and not answer.content_type:
        yield found("content-type-missing", "content-type", "The answer has a body and no Content-Type")


def judge_referrer(answer: Answer, in_meta: str | None) -> Iterator[Fault]:
    """Yield what the Referrer-Policy gives away; the last word that browsers know counts, <meta> after the header."""
    values = [*answer.all("referrer-policy"), *([in_meta] if in_meta else [])]
    words = [word.strip().lower() for value in values for word in value.split(",")]
    known = [word for word in words if word in _REFERRERS]
    if not known:
        seen = f"referrer-policy: {masked(', '.join(words))}" if words else "Referrer-Policy was not sent"
        yield found("referrer-missing", "referrer-policy", seen)
    elif known[-1] in _UNSAFE_REFERRERS:
        yield found("referrer-unsafe", "referrer-policy", f"referrer-policy: {known[-1]}")


def judge_disclosure(answer: Answer) -> Iterator[Fault]:
    """Yield each header that tells a version of the software that answers."""
    for name in _DISCLOSING:
        value = answer.first(name)
        if value and (_VERSION.search(value) or (name.endswith("version") and re.search(r"\d", value))):
            yield found("disclosure-version", name, f"{name}: {masked(value)}")
