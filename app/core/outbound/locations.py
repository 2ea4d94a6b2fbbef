"""URLs as tenants and servers write them, taken apart without leaving two ways to read one."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, urlsplit

import idna

from app.core.outbound.policies import Refused

# The ports that the Fetch standard (https://fetch.spec.whatwg.org/#bad-port) keeps browsers from: other protocols
# listen there, and some of them take orders from an HTTP request.
# fmt: off
_OTHER_PROTOCOLS = frozenset({
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53,
    69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135,
    137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548,
    554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
})
# fmt: on
_SCHEMES = {"http": 80, "https": 443}
_MAX_URL = 4096
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH_SAFE = "/:@!$&'()*+,;=-._~%?[]|^`{}\"<>"


@dataclass(frozen=True)
class Location:
    """A place on the web; `host` is a lower-case ASCII name without a trailing dot, or an address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host with port, as the Host header has it: the port only where it is not the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _SCHEMES[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def locate(url: str) -> Location:
    """Return where `url` leads. Raises Refused unless it is absolute, http or https, and unambiguous."""
    if len(url) > _MAX_URL:
        raise Refused("The address is too long")
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in url) or url != url.strip():
        raise Refused("The address has control characters or spaces around it")
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme not in _SCHEMES:
        raise Refused("The address must begin with http:// or https://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "\\" in url:
        raise Refused("The address has a backslash")
    if "@" in authority:
        raise Refused("The address has a user name or a password in it")
    matched = _AUTHORITY.fullmatch(authority)
    if matched is None:
        raise Refused("The address has no readable host and port")
    port = int(matched["port"]) if matched["port"] else _SCHEMES[scheme]
    checked_port(port)
    return Location(scheme, plain_host(matched["host"]), port, _target(rest[len(authority) :]))


def checked_port(port: int) -> int:
    """Return `port`. Raises Refused where it is none, or where another protocol than HTTP lives."""
    if not 0 < port < 65536:
        raise Refused("A port is between 1 and 65535")
    if port in _OTHER_PROTOCOLS:
        raise Refused(f"Port {port} belongs to another protocol")
    return port


def plain_host(host: str) -> str:
    """Return a host's one spelling: an ASCII name in lower case, or an address.

    Raises Refused for what different programs read differently: numbers that are not four plain decimal parts, scopes,
    escapes, and names that IDNA (RFC 5891, UTS 46) does not know.
    """
    if host.startswith("[") or ":" in host:
        return _plain_v6(host.removeprefix("[").removesuffix("]"))
    name = host if host.isascii() else _to_ascii(host)
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(name))
        except ValueError:
            raise Refused("The host is a number, but not four plain decimal parts") from None
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Refused("The host is not a name that DNS knows")
    return name


def _plain_v6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise Refused("The host in brackets is not an IPv6 address") from None
    if address.scope_id is not None:
        raise Refused("The host is an address with a scope")
    return str(address)


def _to_ascii(host: str) -> str:
    try:
        return idna.encode(host, uts46=True, std3_rules=True, transitional=False).decode("ascii")
    except UnicodeError:
        raise Refused("The host is not a name that IDNA knows") from None


def _target(rest: str) -> str:
    split = urlsplit("http://host" + rest)
    target = split.path or "/"
    if split.query:
        target = f"{target}?{split.query}"
    try:
        return quote(target, safe=_PATH_SAFE)
    except UnicodeEncodeError:
        raise Refused("The address has characters that are none") from None
