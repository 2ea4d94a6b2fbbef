"""Single headers, contacts and evidence: the finer points that a peer would be too coarse for."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scanners.posture.answers import Answer
from app.scanners.posture.contacts import judge_contacts
from app.scanners.posture.csp import CspSet, parse_policies
from app.scanners.posture.evidence import found, masked, one_line, without_query
from app.scanners.posture.headers import (
    judge_disclosure,
    judge_framing,
    judge_referrer,
    judge_sniffing,
    judge_transport,
)
from app.scanners.posture.rules import ALL_RULES

_NOW = datetime(2026, 6, 1, tzinfo=UTC)


def _answer(*headers: tuple[str, str], body: str = "", url: str = "https://peer.example/") -> Answer:
    return Answer(url, 200, headers, body)


@pytest.mark.parametrize(
    ("value", "rules"),
    [
        ("max-age=31536000; includeSubDomains; preload", set()),
        ('MAX-AGE="31536000" ;; INCLUDESUBDOMAINS', set()),
        ("max-age=0", {"hsts-short", "hsts-subdomains"}),
        ("max-age=31536000; preload", {"hsts-preload-ineligible"}),
        ("max-age=31536000; max-age=1; includeSubDomains", {"hsts-malformed"}),
        ("max-age=-1; includeSubDomains", {"hsts-malformed"}),
        ("max-age=٣١٥٣٦٠٠٠", {"hsts-malformed"}),
        ("", {"hsts-malformed"}),
    ],
)
def test_transport_security_is_read_by_its_grammar(value: str, rules: set[str]) -> None:
    """Names ignore case, values may be quoted, a directive twice voids the header; only the first header counts."""
    answer = _answer(("strict-transport-security", value), ("strict-transport-security", "max-age=99999999"))
    assert {fault.rule for fault in judge_transport(answer)} == rules


@pytest.mark.parametrize(
    ("headers", "rules"),
    [
        ([("x-frame-options", "DENY")], set()),
        ([("x-frame-options", "sameorigin, SAMEORIGIN")], set()),
        ([("x-frame-options", "DENY"), ("x-frame-options", "ALLOWALL")], set()),
        ([("x-frame-options", "ALLOWALL")], {"framing-ineffective"}),
        ([("x-frame-options", "")], {"framing-missing"}),
        ([("content-security-policy", "frame-ancestors https:")], {"framing-ineffective"}),
        ([("content-security-policy", "frame-ancestors *, frame-ancestors 'self'")], set()),
        ([("content-security-policy", "frame-ancestors *"), ("x-frame-options", "DENY")], {"framing-ineffective"}),
        ([("content-security-policy-report-only", "frame-ancestors 'none'")], {"framing-missing"}),
    ],
)
def test_framing_follows_the_html_standard(headers: list[tuple[str, str]], rules: set[str]) -> None:
    """frame-ancestors overrides X-Frame-Options; conflicting X-Frame-Options deny; unknown ones do nothing."""
    answer = _answer(*headers)
    policies = CspSet(enforced=parse_policies(answer.all("content-security-policy")))
    assert {fault.rule for fault in judge_framing(answer, policies)} == rules


def test_the_last_known_referrer_policy_counts() -> None:
    """Unknown words are skipped, the last known one counts, and <meta> comes after the header."""
    header = _answer(("referrer-policy", "no-referrer, unsafe-url, no-idea"))
    assert [fault.rule for fault in judge_referrer(header, None)] == ["referrer-unsafe"]
    assert list(judge_referrer(header, "same-origin")) == []
    assert [fault.rule for fault in judge_referrer(_answer(("referrer-policy", "never")), None)] == ["referrer-missing"]


def test_only_nosniff_first_counts() -> None:
    """X-Content-Type-Options works where its first value is nosniff, in any case."""
    assert list(judge_sniffing(_answer(("x-content-type-options", "NoSniff, x")))) == []
    assert [fault.rule for fault in judge_sniffing(_answer(("x-content-type-options", "x, nosniff")))] == ["sniffing"]


def test_a_name_without_a_version_discloses_nothing() -> None:
    """nginx alone is no finding; nginx/1.24.0 is, placed by its header."""
    assert list(judge_disclosure(_answer(("server", "nginx"), ("x-powered-by", "Express")))) == []
    (fault,) = judge_disclosure(_answer(("server", "nginx/1.24.0")))
    assert fault.location == "server"


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ("Contact: https://a.example/\nExpires: 2027-01-01T00:00:00Z\n", set()),
        ("# hello\r\ncontact: mailto:a@b.example\r\nexpires: 2027-01-01T00:00:00.000+02:00\r\n", set()),
        (
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nContact: tel:+1-201\nExpires: 2027-01-01T00:00:00z\n"
            "-----BEGIN PGP SIGNATURE-----\nContact: nonsense\n",
            set(),
        ),
        ("Contact: a@b.example\nExpires: 2027-01-01T00:00:00Z\n", {"security-txt-malformed"}),
        ("Contact: https://a.example/\n", {"security-txt-malformed"}),
        ("Contact: https://a.example/\nExpires: soon\n", {"security-txt-malformed"}),
        ("Contact: https://a.example/\nExpires: 2025-01-01T00:00:00Z\n", {"security-txt-expired"}),
        ("Contact: https://a.example/\nExpires: 0001-01-01T00:00:00+23:59\n", {"security-txt-expired"}),
    ],
)
def test_contacts_are_read_as_rfc_9116_says(body: str, rules: set[str]) -> None:
    """Names ignore case, a signature is skipped, Contact is an address with a scheme, Expires stands once."""
    answer = _answer(("content-type", "text/plain"), body=body)
    assert {fault.rule for fault in judge_contacts(answer, _NOW)} == rules


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_judged_as_contacts(text: str) -> None:
    """No file raises."""
    list(judge_contacts(_answer(("content-type", "text/plain"), body=f"Expires: {text}\n{text}"), _NOW))


def test_evidence_masks_what_is_secret_or_personal() -> None:
    """Mail addresses, long numbers, long tokens, queries and passwords in addresses do not get out."""
    text = masked("Basic realm=anna.smith@example.org 4111 1111 1111 1111 key=AKIA1234567890abcdefABCDEF")
    assert "anna" not in text
    assert "1111 1111" not in text
    assert "567890abcdef" not in text
    shown = without_query("https://user:pw@peer.example/a?token=s3cr3t#x")
    assert shown == "https://peer.example/a?…"


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_evidence_becomes_one_short_line(evidence: str, location: str) -> None:
    """Whatever a server sent, a fault holds printable text of bounded length that can be encoded."""
    fault = found("sniffing", masked(location), masked(evidence))
    for text in (fault.evidence, fault.location):
        assert len(text) <= 400
        assert text.isprintable()
        text.encode()
    assert one_line(fault.evidence, 400) == fault.evidence


def test_each_rule_is_complete() -> None:
    """Every rule has a title, a remedy that is a sentence, a source, and a CWE unless it is mere advice."""
    for rule in ALL_RULES.values():
        assert rule.title
        assert not rule.title.endswith(".")
        assert rule.remedy.endswith((".", ").")), rule.id
        assert rule.source.startswith("https://")
        assert rule.cwe is not None or rule.severity == "info"
