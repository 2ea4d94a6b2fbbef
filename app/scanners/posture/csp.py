"""Content-Security-Policy as browsers read it (CSP level 3): parsing, fall-backs, and what a policy leaves open."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from app.scanners.posture.evidence import found, listed, masked
from app.scanners.probes import Fault

HEADER = "content-security-policy"

# fmt: off
_LISTS = frozenset({
    "base-uri", "child-src", "connect-src", "default-src", "fenced-frame-src", "font-src", "form-action",
    "frame-ancestors", "frame-src", "img-src", "manifest-src", "media-src", "navigate-to", "object-src",
    "prefetch-src", "script-src", "script-src-attr", "script-src-elem", "style-src", "style-src-attr",
    "style-src-elem", "worker-src",
})
_KNOWN = _LISTS | {
    "block-all-mixed-content", "plugin-types", "referrer", "reflected-xss", "report-to", "report-uri",
    "require-sri-for", "require-trusted-types-for", "sandbox", "trusted-types", "upgrade-insecure-requests", "webrtc",
}
# fmt: on
_META_IGNORED = frozenset({"frame-ancestors", "report-uri", "sandbox"})
_BARE_KEYWORDS = frozenset({"self", "none", "unsafe-inline", "unsafe-eval", "strict-dynamic"})
_NONCE_OR_HASH = re.compile(r"'(?:nonce-[\w+/=-]+|sha(?:256|384|512)-[\w+/=-]+)'", re.I)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)
_ANY_HOST = re.compile(r"(?:(?:https?|wss?)://)?\*(?:\.[a-z]{2,})?(?::(?:\*|\d+))?/?", re.I)
_MOST_DIRECTIVES = 200
_MOST_SOURCES = 500
_WHITESPACE = "\t\n\f\r "


@dataclass(frozen=True)
class CspPolicy:
    """One policy: its directives in lower case with their values, and what in it browsers drop."""

    directives: dict[str, tuple[str, ...]]
    dropped: tuple[str, ...] = ()

    def sources(self, *names: str) -> tuple[str, ...] | None:
        """Return the value of the first of these directives that is there (a fall-back chain), or None."""
        return next((self.directives[name] for name in names if name in self.directives), None)


@dataclass(frozen=True)
class CspSet:
    """All policies of one answer: each is enforced, so that a thing is open only where every one leaves it open."""

    enforced: tuple[CspPolicy, ...] = ()
    reported: tuple[CspPolicy, ...] = ()
    in_meta: tuple[CspPolicy, ...] = field(default=())

    @property
    def all(self) -> tuple[CspPolicy, ...]:
        return self.enforced + self.in_meta


def parse_policies(values: Iterable[str], *, meta: bool = False) -> tuple[CspPolicy, ...]:
    """Parse serialized policies: each value may hold several, parted by commas. Never raises."""
    parts = (part for value in values for part in value.split(","))
    return tuple(policy for part in parts if (policy := _parse(part, meta)).directives or policy.dropped)


def judge_policies(policies: CspSet) -> Iterator[Fault]:
    """Yield what the policies leave open; framing is judged with X-Frame-Options, elsewhere."""
    enforced = policies.all
    if not enforced:
        if policies.reported:
            yield found("csp-report-only", HEADER, "Only Content-Security-Policy-Report-Only was sent")
        else:
            yield found("csp-missing", HEADER, "The answer has no Content-Security-Policy, as header or <meta>")
        return
    for rule, open_part in _CHECKS:
        opened = [open_part(policy) for policy in enforced]
        if all(part is not None for part in opened):
            yield found(rule, HEADER, masked(str(opened[0])))
    dropped = [part for policy in enforced for part in policy.dropped]
    if dropped:
        yield found("csp-malformed", HEADER, masked(listed(dropped)))


def allows_any_framer(policies: Sequence[CspPolicy]) -> str | None:
    """Return the frame-ancestors that let any site frame the page, None where one policy limits it or none has it."""
    values = [value for policy in policies if (value := policy.sources("frame-ancestors")) is not None]
    if not values or not all(any(_is_wide(source) for source in value) for value in values):
        return None
    return "frame-ancestors " + " ".join(values[0])


def _parse(serialized: str, meta: bool) -> CspPolicy:
    directives: dict[str, tuple[str, ...]] = {}
    dropped: list[str] = []
    for token in serialized.split(";")[:_MOST_DIRECTIVES]:
        words = token.strip(_WHITESPACE).split()[:_MOST_SOURCES]
        if not words:
            continue
        name, value = words[0].lower(), tuple(words[1:])
        if name in directives:
            dropped.append(f"{name} is repeated")
        elif name not in _KNOWN:
            dropped.append(f"{name[:40]} is not a directive")
        elif meta and name in _META_IGNORED:
            dropped.append(f"{name} has no effect in <meta>")
        else:
            directives[name] = value
            dropped.extend(_odd_sources(name, value))
    return CspPolicy(directives, tuple(dropped))


def _odd_sources(name: str, value: tuple[str, ...]) -> Iterator[str]:
    if name not in _LISTS:
        return
    lowered = [source.lower() for source in value]
    for source in lowered:
        if source in _BARE_KEYWORDS:
            yield f"{name}: {source} lacks its quotes"
    if "'none'" in lowered and len(lowered) > 1:
        yield f"{name}: 'none' is ignored beside other sources"


def _is_wide(source: str) -> bool:
    return bool(_ANY_HOST.fullmatch(source) or _SCHEME.fullmatch(source))


def _trusts_by_nonce(sources: Iterable[str]) -> bool:
    return any(_NONCE_OR_HASH.fullmatch(source) for source in sources)


def _inline(policy: CspPolicy) -> str | None:
    for first in ("script-src-elem", "script-src-attr"):
        sources = policy.sources(first, "script-src", "default-src") or ()
        lowered = {source.lower() for source in sources}
        if "'unsafe-inline'" in lowered and "'strict-dynamic'" not in lowered and not _trusts_by_nonce(sources):
            return f"{_name(policy, first, 'script-src', 'default-src')} has 'unsafe-inline' and no nonce or hash"
    return None


def _eval(policy: CspPolicy) -> str | None:
    sources = policy.sources("script-src", "default-src") or ()
    if "'unsafe-eval'" in {source.lower() for source in sources}:
        return f"{_name(policy, 'script-src', 'default-src')} has 'unsafe-eval'"
    return None


def _wide(policy: CspPolicy) -> str | None:
    chains = (("script-src-elem", "script-src", "default-src"), ("object-src", "default-src"))
    for chain in chains:
        sources = policy.sources(*chain) or ()
        lowered = {source.lower() for source in sources}
        if chain[0] != "object-src" and "'strict-dynamic'" in lowered:
            continue  # browsers ignore hosts and schemes then
        wide = [source for source in sources if _is_wide(source)]
        if wide:
            return f"{_name(policy, *chain)} has {listed(wide)}"
    return None


def _insecure(policy: CspPolicy) -> str | None:
    scripts = {
        _name(policy, "script-src-elem", "script-src", "default-src"),
        _name(policy, "object-src", "default-src"),
    }
    for name, sources in policy.directives.items():
        if name not in _LISTS:
            continue
        plain = [s for s in sources if s.lower().startswith(("http://", "ws://")) and not _is_wide(s)]
        if name not in scripts:
            plain += [s for s in sources if s.lower() in ("http:", "ws:")]
        if plain:
            return f"{name} has {listed(plain)}"
    return None


def _lacks(*chain: str) -> Callable[[CspPolicy], str | None]:
    def check(policy: CspPolicy) -> str | None:
        return None if policy.sources(*chain) is not None else f"Neither {' nor '.join(chain)} is set"

    def check_one(policy: CspPolicy) -> str | None:
        return None if policy.sources(*chain) is not None else f"{chain[0]} is not set, and it has no fall-back"

    return check if len(chain) > 1 else check_one


def _name(policy: CspPolicy, *chain: str) -> str:
    return next((name for name in chain if name in policy.directives), chain[-1])


_CHECKS: tuple[tuple[str, Callable[[CspPolicy], str | None]], ...] = (
    ("csp-scripts-unrestricted", _lacks("script-src", "default-src")),
    ("csp-unsafe-inline", _inline),
    ("csp-unsafe-eval", _eval),
    ("csp-wide-source", _wide),
    ("csp-insecure-source", _insecure),
    ("csp-object-src", _lacks("object-src", "default-src")),
    ("csp-base-uri", _lacks("base-uri")),
    ("csp-form-action", _lacks("form-action")),
)
