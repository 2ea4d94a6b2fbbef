"""The walk over markup: what browsers would load is found, whatever the text, in linear time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scanners.posture.answers import Answer
from app.scanners.posture.markup import judge_page, read_page
from app.scanners.posture.tags import start_tags

_URL = "https://peer.example/a/b"


def named(markup: str, *, url: str = _URL, upgrades: bool = False) -> set[str]:
    answer = Answer(url, 200, (("content-type", "text/html"),), markup)
    return {fault.rule for fault in judge_page(answer, read_page(url, markup), upgrades=upgrades)}


@pytest.mark.parametrize(
    ("markup", "rules"),
    [
        ("<SCRIPT SRC=//code.example/a.js></SCRIPT>", {"sri-missing"}),
        ("<script src='https://peer.example/a.js'></script>", set()),
        ("<script src='//c.example/a' integrity='sha384-x'></script>", set()),
        ("<script src='//c.example/a' integrity='md5-x'></script>", {"sri-missing"}),
        ("<link rel='preload stylesheet' href='https://c.example/a.css'>", {"sri-missing"}),
        ("<link rel=canonical href='http://peer.example/'>", set()),
        ("<link rel=icon href='http://peer.example/i.png'>", {"mixed-passive"}),
        ("<base href='http://c.example/'><img src=a.png>", {"mixed-passive"}),
        ("<base href='/x/'><base href='http://c.example/'><img src=a.png>", set()),
        ("<object data=http://c.example/a></object>", {"mixed-active"}),
        ("<img src='ht&#116;p://c.example/a'>", {"mixed-passive"}),
        ("<img alt='>' src='http://c.example/a'>", {"mixed-passive"}),
        ("<img src=http://c.example/a src=https://peer.example/b>", {"mixed-passive"}),
        ("<!-- <img src=http://c.example/a> -->", set()),
        ("<!--><img src=http://c.example/a>", {"mixed-passive"}),
        ("<script>'<img src=http://c.example/a>'</script>", set()),
        ("<title></title ><img src=http://c.example/a>", {"mixed-passive"}),
        ("<textarea><img src=http://c.example/a></textarea>", set()),
        ("<a href='http://c.example/'>a link</a>", set()),
        ("<form method=post action='http://c.example/in'>", {"form-plain"}),
        ("<img src='http://[::1'>", set()),
        ("<img src='data:image/png;base64,aaaa'>", set()),
        ("<img src='http://c.example/a'", set()),
    ],
)
def test_what_a_browser_would_load_is_judged(markup: str, rules: set[str]) -> None:
    """Case, quoting, references, bases, comments and raw text are read as the HTML standard says."""
    assert named(markup) == rules


def test_upgraded_requests_are_not_mixed() -> None:
    """Under upgrade-insecure-requests plain addresses are fetched over HTTPS."""
    assert named("<img src=http://c.example/a>", upgrades=True) == set()


def test_a_plain_page_has_no_mixed_content() -> None:
    """On a page without HTTPS nothing is mixed; code from elsewhere still needs integrity."""
    assert named("<img src=http://c.example/a><script src=http://c.example/b>", url="http://peer.example/") == {
        "sri-missing"
    }


def test_one_host_is_one_fault_without_queries() -> None:
    """Many resources of one host are one finding, placed by the host; what stands in a query is not shown."""
    markup = "".join(f"<img src='http://c.example/{n}?token=s3cr3t'>" for n in range(20))
    answer = Answer(_URL, 200, (), markup)
    (fault,) = judge_page(answer, read_page(_URL, markup), upgrades=False)
    assert fault.location == "c.example"
    assert "s3cr3t" not in fault.evidence


_PIECES = st.sampled_from(
    [
        "<",
        ">",
        "<a ",
        "<!--",
        "-->",
        "</script",
        "<script",
        "src=",
        "'",
        '"',
        "=",
        "/",
        "http://",
        "&#",
        "\x00",
        " ",
        "é",
    ]
)


@settings(deadline=None)
@given(st.lists(_PIECES).map("".join) | st.text())
def test_any_text_can_be_walked(text: str) -> None:
    """No markup raises, and what is found fits one line of plain text."""
    answer = Answer(_URL, 200, (), text)
    for fault in judge_page(answer, read_page(_URL, text), upgrades=False):
        assert fault.evidence.isprintable()
        fault.evidence.encode()


@pytest.mark.parametrize("piece", ["<", "<a ", "<!--", "<a b='", "</", "<script>", "<a b=c ", "<?", "&#x", "<a\n"])
def test_the_walk_takes_linear_time(piece: str) -> None:
    """A megabyte of what makes other parsers take minutes is walked in a moment."""
    began = time.process_time()
    for _ in start_tags(piece * (1_000_000 // len(piece))):
        pass
    assert time.process_time() - began < 3
