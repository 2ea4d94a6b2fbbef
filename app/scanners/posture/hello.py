"""The first message of a TLS handshake and its answer, by hand: what a server accepts that OpenSSL no longer asks.

Follows RFC 5246 (TLS 1.2) and RFC 6101 (SSL 3.0). Nothing is negotiated: after the server's choice we hang up.
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

SSL_3_0, TLS_1_0, TLS_1_1, TLS_1_2 = 0x0300, 0x0301, 0x0302, 0x0303
MOST_BYTES = 20_000

_HANDSHAKE, _ALERT = 22, 21
_SERVER_HELLO = 2
_FALLBACK_RENEGOTIATION = 0x00FF
# secp256r1, x25519, secp384r1, secp521r1, x448, and small ones that old servers have
_GROUPS = (0x0017, 0x001D, 0x0018, 0x0019, 0x001E, 0x0013, 0x0015, 0x0016)
# RSA and ECDSA from SHA-512 to SHA-1, RSA-PSS, Ed25519, DSA, and MD5 last
_SIGNATURES = (
    *(0x0401, 0x0403, 0x0804, 0x0501, 0x0503, 0x0805, 0x0601, 0x0603, 0x0806, 0x0807),
    *(0x0402, 0x0301, 0x0303, 0x0201, 0x0203, 0x0202, 0x0101),
)


@dataclass(frozen=True)
class Chosen:
    """The server's choice: protocol version and cipher suite, as their numbers."""

    version: int
    suite: int


@dataclass(frozen=True)
class Alert:
    """The server's refusal."""

    level: int
    description: int


def client_hello(version: int, suites: Sequence[int], host: str) -> bytes:
    """Return a record with a ClientHello of that version that offers exactly these suites."""
    offered = [*suites, _FALLBACK_RENEGOTIATION]
    body = struct.pack("!H", version) + os.urandom(32) + b"\x00"
    body += _sized(b"".join(struct.pack("!H", suite) for suite in offered))
    body += b"\x01\x00"  # compression: none
    if version > SSL_3_0:
        body += _sized(_extensions(version, host))
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return struct.pack("!BH", _HANDSHAKE, min(version, TLS_1_0)) + _sized(message)


def read_answer(data: bytes) -> Chosen | Alert | None:
    """Return what the bytes received so far say, None where they are too few or are not TLS. Never raises."""
    if len(data) < 5 or not is_tls(data):
        return None
    size = int.from_bytes(data[3:5], "big")
    record = data[5 : 5 + size]
    if data[0] == _ALERT:
        return Alert(record[0], record[1]) if len(record) >= 2 else None
    if len(record) < 39 or record[0] != _SERVER_HELLO:
        return None
    session = record[38]
    suite = record[39 + session : 41 + session]
    if session > 32 or len(suite) < 2:
        return None
    return Chosen(int.from_bytes(record[4:6], "big"), int.from_bytes(suite, "big"))


def is_tls(data: bytes) -> bool:
    """Whether these first bytes can begin an answer in TLS (or SSL 3.0)."""
    return data[:1] in (b"\x15", b"\x16") and (len(data) < 2 or data[1] == 3)


def _extensions(version: int, host: str) -> bytes:
    parts = [_extension(0xFF01, b"\x00"), _extension(23, b"")]  # secure renegotiation, extended master secret
    if _is_name(host):
        parts.append(_extension(0, _sized(b"\x00" + _sized(host.encode("ascii", "ignore")))))
    parts.append(_extension(10, _sized(b"".join(struct.pack("!H", group) for group in _GROUPS))))
    parts.append(_extension(11, b"\x01\x00"))  # uncompressed points
    if version >= TLS_1_2:
        parts.append(_extension(13, _sized(b"".join(struct.pack("!H", kind) for kind in _SIGNATURES))))
    return b"".join(parts)


def _is_name(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return True
    return False


def _extension(number: int, content: bytes) -> bytes:
    return struct.pack("!H", number) + _sized(content)


def _sized(content: bytes) -> bytes:
    return struct.pack("!H", len(content)) + content
