"""What an API key is held to: the networks that it is used from and how long it lasts."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

MOST_NETWORKS = 32
LONGEST = timedelta(days=5 * 366)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def read_networks(lines: Sequence[str]) -> list[str]:
    """Return addresses and networks (CIDR, IPv4 and IPv6) in their one written form, each once, in the order given.

    Raises ValueError, whose words name the line at fault.
    """
    found = list(dict.fromkeys(str(_network(line.strip())) for line in lines if line.strip()))
    if len(found) > MOST_NETWORKS:
        raise ValueError(f"at most {MOST_NETWORKS} networks")
    return found


def _network(line: str) -> Network:
    try:
        given = ipaddress.ip_interface(line)
    except ValueError:
        raise ValueError(
            f"{line[:60]} is not an address or a network such as 203.0.113.0/24 or 2001:db8::/32"
        ) from None
    network = given.network
    if "%" in line or (isinstance(given, ipaddress.IPv6Interface) and given.ip.ipv4_mapped):
        raise ValueError(f"{line[:60]}: write the plain IPv4 or IPv6 network")
    if given.ip != network.network_address:
        raise ValueError(f"{line[:60]} is an address inside a network: write {network} or {given.ip}")
    if network.prefixlen == 0:
        raise ValueError(f"{line[:60]} is every address: leave it out")
    return network


def comes_from(address: str | None, networks: Sequence[str]) -> bool:
    """Tell whether `address` lies in one of `networks`; with no networks every address will do."""
    if not networks:
        return True
    try:
        given = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    plain = given.ipv4_mapped or given if isinstance(given, ipaddress.IPv6Address) else given
    return any(plain in ipaddress.ip_network(network) for network in networks)


def end_of(last_day: date, now: datetime) -> datetime:
    """Return the moment after `last_day` (UTC). Raises ValueError for one that is over or more than five years off."""
    today = now.astimezone(UTC).date()
    if last_day < today:
        raise ValueError("this day is over")
    if last_day - today > LONGEST:
        raise ValueError("at most five years ahead")
    following = last_day + timedelta(days=1)
    return datetime(following.year, following.month, following.day, tzinfo=UTC)
