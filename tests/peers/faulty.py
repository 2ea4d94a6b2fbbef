"""A web site on loopback that is clean but for the one thing it is told to do wrong."""

import contextlib
import datetime
import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.peers.wire import WirePeer

POLICY = (
    "default-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
CLEAN_HEADERS: Mapping[str, str | None] = {
    "Server": "peer",
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
CLEAN_PAGE = (
    '<!doctype html><html lang="en"><head><title>A clean page</title><link rel="stylesheet" href="/a.css">'
    '<script src="/a.js"></script></head><body><img src="/a.png" alt=""><form action="/go" method="post"></form>'
    '<a href="http://plain.example/">A link loads nothing</a></body></html>'
)
CLEAN_COOKIE = "__Host-session=s3cr3tvalue; Path=/; Secure; HttpOnly; SameSite=Lax"
# What the site answers to one Origin: further headers.
Granting = Callable[[str], Mapping[str, str]]


def contact_file(days: float = 90) -> str:
    """Return a valid security.txt that expires in so many days."""
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    return f"Contact: mailto:security@peer.example\nExpires: {until.isoformat(timespec='seconds')}\n"


@dataclass(frozen=True)
class Site:
    """What a peer serves. `moves`: path to (status, place), where `{own}` is its own origin."""

    headers: Mapping[str, str | None] = field(default_factory=lambda: CLEAN_HEADERS)
    page: str = CLEAN_PAGE
    cookies: tuple[str, ...] = (CLEAN_COOKIE,)
    contacts: str | None = field(default_factory=contact_file)
    contacts_type: str = "text/plain; charset=utf-8"
    grants: Granting | None = None
    moves: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    status: int = 200
    canned_suites: tuple[int, ...] = ()
    canned_version: int = 0x0303

    def but(self, *, set_headers: Mapping[str, str | None] | None = None, **changes: object) -> "Site":
        """Return this site with other headers (None takes one away) and other fields."""
        headers = {**self.headers, **(set_headers or {})}
        return replace(self, headers=headers, **changes)  # type: ignore[arg-type]

    def answer(self, head: bytes, own: str) -> bytes:
        """Return the answer to a request's head."""
        lines = head.decode("latin-1").split("\r\n")
        path = lines[0].split(" ")[1] if lines[0].count(" ") >= 2 else "/"
        origin = next((line[7:].strip() for line in lines if line.lower().startswith("origin:")), None)
        headers = {name: value for name, value in self.headers.items() if value is not None}
        body, status = self.page, self.status
        pairs = [("Set-Cookie", cookie) for cookie in self.cookies]
        if path in self.moves:
            status, place = self.moves[path]
            headers["Location"], body = place.replace("{own}", own), ""
        elif path == "/.well-known/security.txt":
            status, body = (200, self.contacts) if self.contacts is not None else (404, "")
            headers["Content-Type"] = self.contacts_type
        if origin and self.grants:
            headers |= self.grants(origin)
        content = body.encode()
        pairs += [*headers.items(), ("Content-Length", str(len(content))), ("Connection", "close")]
        top = "".join(f"{name}: {value}\r\n" for name, value in pairs)
        return f"HTTP/1.1 {status} Fine\r\n{top}\r\n".encode() + content


@dataclass(frozen=True)
class Served:
    """A running peer: the address to scan, and the `address:port` to allow."""

    url: str
    endpoint: str
    peer: WirePeer


@contextmanager
def serving(site: Site, tls: ssl.SSLContext | None) -> Iterator[Served]:
    """Serve the site on loopback for the length of a block, over TLS where a context is given."""
    peer = _Peer(site, tls)
    try:
        yield Served(f"{peer.own}/", peer.endpoint, peer)
    finally:
        peer.close()


class _Peer(WirePeer):
    """Answers hellos that offer only the canned suites by hand, as a server would that has them."""

    def __init__(self, site: Site, tls: ssl.SSLContext | None) -> None:
        self._site = site
        self._scheme = "https" if tls else "http"
        super().__init__(self._respond, tls=tls)

    @property
    def own(self) -> str:
        return f"{self._scheme}://{self.endpoint}"

    def _respond(self, connection: socket.socket, head: bytes) -> None:
        connection.sendall(self._site.answer(head, self.own))

    def _serve(self, connection: socket.socket) -> None:
        if self._tls is not None and self._site.canned_suites:
            connection.settimeout(5)
            with contextlib.suppress(OSError):
                chosen = self._canned(connection.recv(4096, socket.MSG_PEEK))
                if chosen is not None:
                    connection.recv(4096)
                    connection.sendall(server_hello(self._site.canned_version, chosen))
                    connection.close()
                    return
        super()._serve(connection)

    def _canned(self, hello: bytes) -> int | None:
        version, offered = read_hello(hello)
        if version != self._site.canned_version:
            return None
        if self._site.canned_version < 0x0303:
            return next((suite for suite in self._site.canned_suites if suite in offered), None)
        known = [suite for suite in offered if suite in self._site.canned_suites]
        sound = [suite for suite in offered if 0x1301 <= suite <= 0x1305 or 0xC02B <= suite <= 0xC030]
        return known[0] if known and not sound else None


def read_hello(data: bytes) -> tuple[int, list[int]]:
    """Return a ClientHello's version and the suites that it offers."""
    if len(data) < 46 or data[0] != 22:
        return 0, []
    version = int.from_bytes(data[9:11], "big")
    session = data[43]
    begin = 44 + session
    size = int.from_bytes(data[begin : begin + 2], "big")
    block = data[begin + 2 : begin + 2 + size]
    return version, [int.from_bytes(block[at : at + 2], "big") for at in range(0, len(block) - 1, 2)]


def server_hello(version: int, suite: int) -> bytes:
    """Return a ServerHello that takes this suite, as one record."""
    body = struct.pack("!H", version) + bytes(32) + b"\x00" + struct.pack("!HB", suite, 0)
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    return struct.pack("!BHH", 22, version, len(message)) + message
