"""Which addresses count as global."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.outbound import why_not_global
from app.core.outbound.addresses import endpoint, split_endpoint

_INSIDE = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254 168.63.129.16
169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.1
198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808
64:ff9b:1::1 64:ff9b:1:ffff::808:808 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1
2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1 3fff:fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1
fe80::1%eth0 2606:4700::1111%eth0 fec0::1 ff02::1 ff0e::1
"""
_GLOBAL = """
1.1.1.1 8.8.8.8 93.184.216.34 9.9.9.9 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.0.1.1 198.17.0.1
198.20.0.1 223.255.255.255 2606:4700:4700::1111 2001:4860:4860::8888 2a00:1450:4001::1 2003::1 2400:cb00::1
"""


@pytest.mark.parametrize("address", _INSIDE.split())
def test_an_address_that_is_not_global_is_named_as_what_it_is(address: str) -> None:
    """Special-purpose, mapped, translated and tunnelled addresses are not global."""
    assert why_not_global(address)


@pytest.mark.parametrize("address", _GLOBAL.split())
def test_a_global_address_is_global(address: str) -> None:
    """Addresses next to the special ranges, and well-known public ones, are global."""
    assert why_not_global(address) is None


@given(st.ip_addresses())
@example(ip_address("192.88.99.1"))
def test_nothing_that_python_holds_for_special_is_global(address: IPv4Address | IPv6Address) -> None:
    """The rule is at least as strict as that of the standard library."""
    if why_not_global(str(address)) is None:
        assert address.is_global
        assert not (address.is_multicast or address.is_reserved or address.is_private or address.is_loopback)


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_never_global(address: IPv4Address) -> None:
    """Mapped, 6to4, NAT64 and compatible forms of any IPv4 address are refused, even of a global one."""
    inner = int(address)
    for outer in (0xFFFF << 32, 0x2002 << 112, 0x64FF9B << 96, 0x64FF9B0001 << 80, 0):
        shift = 80 if outer >> 112 == 0x2002 else 0
        assert why_not_global(str(IPv6Address(outer | inner << shift)))


@given(st.ip_addresses(), st.integers(1, 65535))
def test_an_endpoint_reads_back_as_what_it_was_made_of(address: IPv4Address | IPv6Address, port: int) -> None:
    """Address and port survive being written and read."""
    assert split_endpoint(endpoint(str(address), port), 53) == (str(address), port)


def test_an_endpoint_without_port_takes_the_usual_one() -> None:
    """A bare address, of either kind, gets the default port."""
    assert split_endpoint("9.9.9.9", 53) == ("9.9.9.9", 53)
    assert split_endpoint("2620:fe::fe", 53) == ("2620:fe::fe", 53)


@pytest.mark.parametrize("text", ["", "name:53", "9.9.9.9:0", "9.9.9.9:65536", "9.9.9.9:x", "[9.9.9.9", ":53"])
def test_an_endpoint_that_is_none_is_refused(text: str) -> None:
    """Names and ports out of range are no endpoints."""
    with pytest.raises(ValueError):
        split_endpoint(text, 53)
