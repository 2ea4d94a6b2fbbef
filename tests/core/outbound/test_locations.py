"""URLs: one reading, or none."""

from ipaddress import IPv4Address, ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.outbound import Location, Refused, locate

_REFUSED = [
    "",
    "example.com",
    "//example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com:70/",
    "javascript://example.com/%0aalert(1)",
    "http:example.com",
    "http:/example.com",
    "http:///example.com",
    "http://",
    "http://:80/",
    "http://example.com:port/",
    "http://example.com:80:81/",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:999999/",
    "http://example.com:25/",
    "http://example.com:6667/",
    "http://user@example.com/",
    "http://user:pass@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com%40127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com\\.evil.test/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0X7F.0.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.0.0.01/",
    "http://0/",
    "http://0x/",
    "http://1.2.3.4.5/",
    "http://256.1.1.1/",
    "http://127.0.0.1%00.example.com/",
    "http://%31%32%37.0.0.1/",
    "http://①②⑦.1/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[::1/",
    "http://::1/",
    "http://[127.0.0.1]/",
    "http://[v1.x]/",
    "http://exa mple.com/",
    "http://exam\tple.com/",
    "http://example.com/\r\nX: y",
    "http://example.com/\x00",
    " http://example.com/",
    "http://example.com/ ",
    "http://-example.com/",
    "http://example-.com/",
    "http://example..com/",
    "http://.example.com/",
    "http://example.com../",
    "http://" + "a" * 64 + ".com/",
    "http://" + "a." * 127 + "com/",
    "http://example.com/" + "a" * 5000,
    "http://ex<ample>.com/",
    "http://\ud800.com/",
    "http://example.com/\ud800",
    "http://\u200d.com/",
]


@pytest.mark.parametrize("url", _REFUSED)
def test_an_url_with_two_readings_or_none_is_refused(url: str) -> None:
    """Other schemes, users, ports of other protocols, odd numbers and broken names are refused."""
    with pytest.raises(Refused):
        locate(url)


def test_a_refusal_says_why_and_tells_no_password() -> None:
    """The reason is in words, without what was written."""
    with pytest.raises(Refused) as refused:
        locate("http://user:s3cret@example.com/")
    assert str(refused.value) == "The address has a user name or a password in it"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com", ("http", "example.com", 80, "/")),
        ("HTTPS://EXAMPLE.com.:443/a?b=c#d", ("https", "example.com", 443, "/a?b=c")),
        ("http://example.com:/", ("http", "example.com", 80, "/")),
        ("http://example.com:08080/", ("http", "example.com", 8080, "/")),
        ("https://bücher.example/ü?q=ß", ("https", "xn--bcher-kva.example", 443, "/%C3%BC?q=%C3%9F")),
        ("https://xn--bcher-kva.example/", ("https", "xn--bcher-kva.example", 443, "/")),
        ("http://127.0.0.1:8080/a b", ("http", "127.0.0.1", 8080, "/a%20b")),
        ("http://１２７.0.0.1/", ("http", "127.0.0.1", 80, "/")),
        ("http://127。0。0。1/", ("http", "127.0.0.1", 80, "/")),
        ("http://[::1]:8080/", ("http", "::1", 8080, "/")),
        ("http://[0:0::0:1]/", ("http", "::1", 80, "/")),
        ("http://foo_bar.example.com/?@x", ("http", "foo_bar.example.com", 80, "/?@x")),
        ("http://example.com?x=//y", ("http", "example.com", 80, "/?x=//y")),
        ("http://example.com/%41%zz", ("http", "example.com", 80, "/%41%zz")),
        ("http://1.example/", ("http", "1.example", 80, "/")),
    ],
)
def test_an_url_has_one_spelling(url: str, expected: tuple[str, str, int, str]) -> None:
    """Case, trailing dot, IDNA, full-width digits and default ports come out as one spelling."""
    assert locate(url) == Location(*expected)


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "http://a.example:", "http://[", "http://1"]))
def test_any_text_is_located_or_refused_and_then_read_alike_by_others(text: str, start: str) -> None:
    """Whatever is accepted comes out in ASCII, is stable, and the standard library reads the same host and port."""
    try:
        location = locate(start + text)
    except Refused:
        return
    assert location.url.isascii()
    assert locate(location.url) == location
    split = urlsplit(location.url)
    assert (split.scheme, split.hostname) == (location.scheme, location.host)
    assert (split.port or {"http": 80, "https": 443}[location.scheme]) == location.port
    assert split.username is None


@given(st.ip_addresses(v=4), st.sampled_from(["int", "hex", "octal", "short", "hexparts"]))
def test_no_odd_spelling_of_an_address_is_accepted(address: IPv4Address, style: str) -> None:
    """Integer, hexadecimal, octal and shortened forms are refused, never read as a name."""
    number, parts = int(address), str(address).split(".")
    spelled = {
        "int": str(number),
        "hex": hex(number),
        "octal": f"0{number:o}",
        "short": f"{parts[0]}.{number & 0xFFFFFF}",
        "hexparts": ".".join(hex(int(part)) for part in parts),
    }[style]
    with pytest.raises(Refused):
        locate(f"http://{spelled}/")


@given(st.ip_addresses())
def test_a_plain_address_stays_itself(address: object) -> None:
    """Each address in its usual spelling is the host that it names."""
    text = f"[{address}]" if ":" in str(address) else str(address)
    assert ip_address(locate(f"http://{text}/").host) == address
