"""Which addresses are global: reachable from anywhere, and so nobody's inside."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# IANA's special-purpose registries (RFC 6890 and its updates), and what clouds answer on from within.
# Written out, since ipaddress.is_global differs between patch releases of Python.
_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "a provider's inside"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's inside"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "a relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("2001::/23", "reserved for protocols (Teredo and others)"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4, which carries another address"),
        ("3fff::/20", "documentation"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "an IPv4 address in another form"),
        ("64:ff9b::/96", "NAT64, which carries another address"),
        ("64:ff9b:1::/48", "NAT64, which carries another address"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
)


def why_not_global(address: str) -> str | None:
    """Return what kind of address this is, for a person, or None if it is global.

    Stricter than ipaddress.is_global: IPv6 only within 2000::/3, and nothing that carries another address inside it.
    """
    try:
        value = ip_address(address)
    except ValueError:
        return "not an address"
    if isinstance(value, IPv4Address):
        return next((why for network, why in _V4 if value in network), None if value.is_global else "reserved")
    if value.scope_id is not None:
        return "link-local"
    named = next((why for network, why in _V6 if value in network), None)
    if named is not None or value not in _GLOBAL_V6:
        return named or "reserved"
    return None if value.is_global else "reserved"


def endpoint(address: str, port: int) -> str:
    """Return `address:port`, or `[address]:port` for IPv6, in the address's canonical spelling."""
    value = ip_address(address)
    return f"[{value}]:{port}" if isinstance(value, IPv6Address) else f"{value}:{port}"


def split_endpoint(text: str, default_port: int) -> tuple[str, int]:
    """Return address and port of `address`, `address:port` or `[address]:port`. Raises ValueError for anything else."""
    try:
        return str(ip_address(text)), default_port
    except ValueError:
        address, _, port = text.rpartition(":")
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError("a port is between 1 and 65535")
    return str(ip_address(bare)), number
