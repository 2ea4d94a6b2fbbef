"""A whole posture scan: polite, stable from run to run, and silent about what is not its to tell."""

import itertools
import json
from dataclasses import asdict
from datetime import timedelta

import pytest

from app.core.clock import SetClock, SystemClock
from app.core.outbound import Kind, Unreachable
from app.scanners.posture import scan
from app.scanners.posture.answers import Answer
from app.scanners.posture.redirects import judge_redirects, next_address
from app.scanners.posture.scan import STEPS, examine
from app.scanners.probes import Artefact, Ticket
from app.scanners.progress import listening
from tests.peers.authorities import Authority
from tests.peers.faulty import CLEAN_PAGE, Served, Site, serving
from tests.peers.wire import says, wire_peer


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def _scan(served: Served, authority: Authority, **changes: object) -> Artefact:
    ticket = Ticket("scan", "posture", target=served.url, allowed=[served.endpoint], seconds=20)
    return examine(ticket, roots=authority.roots, **changes)  # type: ignore[arg-type]


_BAD = Site(
    cookies=("session=v0latile-s3cr3t; Path=/", "theme=anna@example.org"),
    page=CLEAN_PAGE.replace("</body>", "<script src='https://c.example/a.js?token=v0latile'></script></body>"),
).but(set_headers={"Content-Security-Policy": "script-src 'nonce-v0latile'", "Server": "nginx/1.24.0"})


def test_fingerprints_stay_when_values_change(authority: Authority) -> None:
    """Rule and place of every fault are the same when cookies, nonces, queries and versions differ."""
    seen = []
    for value in ("v0latile", "0therv4lue"):
        site = Site(
            cookies=tuple(cookie.replace("v0latile", value) for cookie in _BAD.cookies),
            page=_BAD.page.replace("v0latile", value),
        ).but(set_headers={key: text and text.replace("v0latile", value) for key, text in _BAD.headers.items()})
        with serving(site, authority.context()) as served:
            port = f":{served.peer.port}"
            faults = _scan(served, authority).faults
        seen.append([(fault.rule, fault.location.replace(port, "")) for fault in faults])
    assert seen[0] == seen[1]
    assert len(seen[0]) == len(set(seen[0])) >= 8


def test_no_secret_of_a_site_is_brought_home(authority: Authority) -> None:
    """Cookies' values, what stands in queries and mail addresses are in no part of the artefact."""
    with serving(_BAD, authority.context()) as served:
        text = json.dumps(asdict(_scan(served, authority)))
    for secret in ("v0latile", "s3cr3t", "anna"):
        assert secret not in text


def test_a_scan_is_a_handful_of_requests_with_its_name(authority: Authority) -> None:
    """One page costs five GET requests, one after the other, each with the ticket's User-Agent."""
    with serving(Site(), authority.context()) as served:
        ticket = Ticket("s", "posture", served.url, allowed=[served.endpoint], user_agent="Sentinel (scan s)")
        examine(ticket, roots=authority.roots)
        heads = [head.decode() for head in served.peer.requests if head]
    assert len(heads) == 5
    assert all(head.startswith("GET ") and "\r\nuser-agent: sentinel (scan s)\r\n" in head.lower() for head in heads)


def test_a_redirect_elsewhere_is_not_followed(authority: Authority) -> None:
    """Another port is another asset: it is named, and nothing is asked of it."""
    with serving(Site(), authority.context()) as other:
        site = Site(moves={"/": (302, f"{other.url}?token=s3cr3t"), "/.well-known/security.txt": (302, other.url)})
        with serving(site, authority.context()) as served:
            ticket = Ticket("s", "posture", served.url, allowed=[served.endpoint, other.endpoint])
            artefact = examine(ticket, roots=authority.roots)
        assert other.peer.requests == []
    assert artefact.faults == []
    assert [other.endpoint in note for note in artefact.notes] == [True, True]
    assert "s3cr3t" not in "".join(artefact.notes)


def test_steps_are_told_in_order(authority: Authority) -> None:
    """Whoever listens hears each step of the catalogue once, in order."""
    steps: list[str] = []
    with serving(Site(), authority.context()) as served, listening(steps.append):
        _scan(served, authority)
    assert tuple(steps) == STEPS


def test_time_is_the_clocks(authority: Authority) -> None:
    """Expiry is judged by the clock that is handed in: the same peer is fine today and expired in a year."""
    later = SetClock(SystemClock().now() + timedelta(days=365))
    with serving(Site(), authority.context()) as served:
        assert _scan(served, authority).faults == []
        rules = {fault.rule for fault in _scan(served, authority, clock=later).faults}
    assert rules == {"cert-expired", "security-txt-expired"}


def test_too_little_time_leaves_what_was_seen(authority: Authority) -> None:
    """When the seconds are used up, what was seen stands, marked as partial, or the scan has failed; nothing raises."""
    with serving(_BAD, authority.context()) as served:
        for seconds in (0.0, 0.06, 0.08, 0.1, 0.2):
            ticket = Ticket("s", "posture", served.url, allowed=[served.endpoint], seconds=seconds)
            artefact = examine(ticket, roots=authority.roots)
            assert artefact.failure or artefact.partial or len(artefact.faults) >= 8


def test_a_peer_that_grows_tired_of_handshakes_still_has_its_page_judged(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the hellos by hand are cut off, the certificate and the page are judged, and the rest is noted."""

    def refused(*_: object) -> None:
        raise Unreachable(Kind.CONNECT, "it takes no more connections")

    monkeypatch.setattr(scan, "survey_acceptance", refused)
    with serving(_BAD, authority.context()) as served:
        artefact = _scan(served, authority)
    assert artefact.partial
    assert "csp-base-uri" in {fault.rule for fault in artefact.faults}
    assert "no more connections" in artefact.notes[0]


def test_a_peer_without_http_keeps_its_handshake_findings(authority: Authority) -> None:
    """A port that speaks TLS and then no HTTP has its certificate judged, and the rest is said to be missing."""
    with wire_peer(says(b"* OK IMAP ready\r\n"), tls=authority.context()) as peer:
        ticket = Ticket("s", "posture", f"https://{peer.endpoint}/", allowed=[peer.endpoint], seconds=10)
        artefact = examine(ticket)
    assert {fault.rule for fault in artefact.faults} == {"cert-untrusted"}
    assert artefact.partial
    assert "proper HTTP" in artefact.notes[-1]


@pytest.mark.parametrize(
    ("places", "rules"),
    [
        (["https://peer.example/"], set()),
        (["https://www.peer.example/"], {"redirect-foreign-first"}),
        (["http://www.peer.example/"], {"redirect-foreign-first"}),
        (["/a"], {"https-missing"}),
        (["/a", "https://peer.example/a"], {"redirect-plain-hop"}),
        ([], {"https-missing"}),
    ],
)
def test_redirects_from_plain_http(places: list[str], rules: set[str]) -> None:
    """To HTTPS on the same host at once is right; every other way is named for what it is."""
    answers, url = [], "http://peer.example/"
    for place in places:
        answers.append(Answer(url, 302, (("location", place),)))
        url = str(next_address(answers[-1]))
    if not places or places[-1].startswith("/"):
        answers.append(Answer(url, 200, ()))
    assert {fault.rule for fault in judge_redirects(answers, circular=False)} == rules


def test_odd_places_lead_nowhere() -> None:
    """A Location that is no address ends the chain, and UTF-8 in one is read as such."""
    for place, status in itertools.product(("http://[::1", "", "x" * 5000), (301, 302)):
        assert next_address(Answer("https://peer.example/", status, (("location", place),))) is None
    path = "/é".encode().decode("latin-1")
    assert next_address(Answer("https://peer.example/", 301, (("location", path),))) == "https://peer.example/é"
