"""Content-Security-Policy: read as browsers do, whatever it says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scanners.posture.csp import CspSet, judge_policies, parse_policies

_REST = "; object-src 'none'; base-uri 'none'; form-action 'none'"


def named(*headers: str, meta: tuple[str, ...] = (), reported: tuple[str, ...] = ()) -> set[str]:
    policies = CspSet(parse_policies(headers), parse_policies(reported), parse_policies(meta, meta=True))
    return {fault.rule for fault in judge_policies(policies)}


@pytest.mark.parametrize(
    ("policy", "rules"),
    [
        ("default-src 'self'", {"csp-base-uri", "csp-form-action"}),
        ("DEFAULT-SRC 'none'; BASE-URI 'none'; FORM-ACTION 'none'", set()),
        ("script-src 'unsafe-inline'" + _REST, {"csp-unsafe-inline"}),
        ("script-src 'UNSAFE-INLINE'" + _REST, {"csp-unsafe-inline"}),
        ("script-src 'unsafe-inline' 'nonce-abc'" + _REST, set()),
        ("script-src 'unsafe-inline' 'sha256-abc='" + _REST, set()),
        ("script-src 'unsafe-inline' 'sha1-abc='" + _REST, {"csp-unsafe-inline"}),
        ("script-src 'unsafe-inline' 'strict-dynamic' 'nonce-a'" + _REST, set()),
        ("script-src 'self'; script-src-elem 'unsafe-inline'" + _REST, {"csp-unsafe-inline"}),
        ("script-src 'self'; script-src-attr 'unsafe-inline'" + _REST, {"csp-unsafe-inline"}),
        ("default-src 'unsafe-inline'; script-src 'self'" + _REST, set()),
        ("style-src 'unsafe-inline'; script-src 'self'" + _REST, set()),
        ("script-src https: 'strict-dynamic' 'nonce-a'" + _REST, set()),
        ("script-src https: 'strict-dynamic'" + _REST, set()),
        ("script-src https: 'nonce-a'" + _REST, {"csp-wide-source"}),
        ("script-src https://*" + _REST, {"csp-wide-source"}),
        ("script-src *.com" + _REST, {"csp-wide-source"}),
        ("script-src *.peer.example" + _REST, set()),
        ("script-src *:443" + _REST, {"csp-wide-source"}),
        ("script-src 'self'; img-src * data:" + _REST, set()),
        ("script-src 'self'; img-src http:" + _REST, {"csp-insecure-source"}),
        ("script-src 'self'; connect-src ws://a.example" + _REST, {"csp-insecure-source"}),
        ("default-src 'self' 'unsafe-eval'; script-src 'self'" + _REST, set()),
        ("default-src 'self' 'unsafe-eval'" + _REST, {"csp-unsafe-eval"}),
        ("default-src 'self' 'wasm-unsafe-eval'" + _REST, set()),
        ("script-src self" + _REST, {"csp-malformed"}),
        ("script-src 'none' a.example" + _REST, {"csp-malformed"}),
        ("script-src 'self'; script-src *" + _REST, {"csp-malformed"}),
        ("frame-ancestors 'none'", {"csp-scripts-unrestricted", "csp-object-src", "csp-base-uri", "csp-form-action"}),
    ],
)
def test_what_a_policy_leaves_open_is_named(policy: str, rules: set[str]) -> None:
    """Case, fall-backs, nonces, hashes, strict-dynamic and repeated directives count as CSP level 3 says."""
    assert named(policy) == rules


def test_all_policies_hold_together() -> None:
    """A thing is open only where each policy leaves it open: in two headers, after a comma, or in <meta>."""
    open_policy = "script-src 'unsafe-inline' *"
    strict = "default-src 'none'; base-uri 'none'; form-action 'none'"
    assert named(open_policy, strict) == set()
    assert named(f"{open_policy}, {strict}") == set()
    assert named(open_policy, meta=(strict,)) == set()


def test_a_policy_that_only_reports_enforces_nothing() -> None:
    """Report-only alone is named; beside an enforced policy it is not."""
    strict = "default-src 'none'; base-uri 'none'; form-action 'none'"
    assert named(reported=(strict,)) == {"csp-report-only"}
    assert named(strict, reported=("script-src *",)) == set()
    assert named() == {"csp-missing"}


def test_what_meta_cannot_say_is_named() -> None:
    """frame-ancestors in <meta> has no effect, and the scan says so."""
    strict = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    assert named(meta=(strict,)) == {"csp-malformed"}


# fmt: off
_WORDS = st.sampled_from([
    "default-src", "script-src", "script-src-elem", "object-src", "base-uri", "frame-ancestors", "'self'", "'none'",
    "'unsafe-inline'", "'unsafe-eval'", "'nonce-x'", "'strict-dynamic'", "*", "https:", "data:", "*.com", "http://a",
    ";", ",", "\x00", "\ud800", "'", "é",
])
# fmt: on


@settings(deadline=None)
@given(st.lists(_WORDS).map(" ".join) | st.text())
def test_any_text_can_be_parsed_and_judged(text: str) -> None:
    """No policy raises, and what is found fits one line of plain text."""
    policies = CspSet(parse_policies([text]), (), parse_policies([text], meta=True))
    for fault in judge_policies(policies):
        assert fault.evidence.isprintable()
        fault.evidence.encode()


@settings(deadline=None)
@given(st.text())
def test_parsing_keeps_the_first_of_a_kind(text: str) -> None:
    """Whatever follows, a directive that was read first stands."""
    (policy, *_) = parse_policies([f"base-uri 'none'; {text}".replace(",", "")])
    assert policy.directives["base-uri"] == ("'none'",)
