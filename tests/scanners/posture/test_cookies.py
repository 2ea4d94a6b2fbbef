"""Cookies: parsed as browsers do, judged by flags and name, shown without their value."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scanners.posture.cookies import judge_cookies, parse_cookie


def named(*headers: str) -> set[str]:
    return {fault.rule for fault in judge_cookies(headers)}


@pytest.mark.parametrize(
    ("header", "rules"),
    [
        ("theme=dark; Secure", set()),
        ("theme=dark; secure ; PATH=/", set()),
        ("theme=dark; Secured", {"cookie-insecure"}),
        ("PHPSESSID=abc; Secure; HttpOnly; SameSite=Strict", set()),
        ("PHPSESSID=abc; Secure; HttpOnly; SameSite=Sometimes", {"cookie-samesite"}),
        ("JSESSIONID=abc", {"cookie-insecure", "cookie-script-readable", "cookie-samesite"}),
        ("inside=abc; Secure", set()),
        ("csrftoken=abc; Secure; SameSite=Lax", set()),
        ("sid=; Max-Age=0", set()),
        ("sid=gone; Expires=Thu, 01 Jan 1970 00:00:00 GMT", set()),
        ("__Host-a=b; Secure; Path=/", set()),
        ("__Host-a=b; Secure; Path=/; Domain=peer.example", {"cookie-prefix"}),
        ("__host-a=b; Path=/", {"cookie-prefix"}),
        ("__Secure-a=b; Secure", set()),
        ("", set()),
        ("=", set()),
    ],
)
def test_missing_flags_are_named(header: str, rules: set[str]) -> None:
    """Secure is for all cookies, HttpOnly and SameSite for those that carry a session, prefixes keep their promise."""
    assert named(header) == rules


def test_a_value_is_never_shown() -> None:
    """Evidence shows name and flags; value, long tokens in the name, and addresses are masked."""
    (fault, *_) = judge_cookies(["user=anna@example.org|9f8e7d6c5b4a; Domain=x.example"])
    assert "9f8e7d6c5b4a" not in fault.evidence
    assert "anna" not in fault.evidence
    assert "user=***" in fault.evidence


def test_a_cookie_that_is_set_often_is_one_fault() -> None:
    """The same cookie set on each hop has one finding a rule, placed by its name."""
    faults = list(judge_cookies(["theme=a", "theme=b", "theme=c"]))
    assert [(fault.rule, fault.location) for fault in faults] == [("cookie-insecure", "cookie theme")]


_PIECES = st.sampled_from(["a", "=", ";", "\x00", "Secure", "__Host-", "path=/", "\ud800", "sid"])


@settings(deadline=None)
@given(st.text() | st.lists(_PIECES).map("".join))
def test_any_text_can_be_parsed_and_judged(text: str) -> None:
    """No header raises, and what is found fits one line of plain text."""
    parse_cookie(text)
    for fault in judge_cookies([text, text]):
        assert fault.evidence.isprintable()
        fault.evidence.encode()
        fault.location.encode()
