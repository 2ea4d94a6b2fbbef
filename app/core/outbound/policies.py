"""What outbound traffic may do, and the two ways in which it ends without an answer."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.core.outbound.fetches import Hop


@dataclass(frozen=True)
class Policy:
    """The limits of one piece of outbound traffic.

    `allowed` names exact `address:port` pairs (`[address]:port` for IPv6) that may be reached although the address is
    not global. `resolvers` are `address` or `address:port` (`[address]:port`); empty for the system's. `total_seconds`
    bounds a whole fetch with its look-ups and redirects, `read_seconds` each wait within it. `max_bytes` bounds a body
    both as received and as decoded.
    """

    allowed: frozenset[str] = frozenset()
    resolvers: tuple[str, ...] = ()
    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    total_seconds: float = 30.0
    max_bytes: int = 2 * 1024 * 1024
    max_redirects: int = 5
    user_agent: str = "Sentinel"


def one_look(allowed: frozenset[str], resolvers: tuple[str, ...], *, max_bytes: int, user_agent: str) -> Policy:
    """Return the limits of a short look at one address: eight seconds, and no redirect."""
    return Policy(
        allowed=allowed,
        resolvers=resolvers,
        connect_seconds=3.0,
        read_seconds=5.0,
        total_seconds=8.0,
        max_bytes=max_bytes,
        max_redirects=0,
        user_agent=user_agent,
    )


class Kind(StrEnum):
    """Why something could not be reached."""

    NO_NAME = "no-such-name"
    DNS = "dns"
    CONNECT = "connect"
    TIMEOUT = "timeout"
    TLS = "tls"
    PROTOCOL = "protocol"
    TOO_LARGE = "too-large"
    REDIRECTS = "redirects"


class Refused(Exception):
    """We do not go there; the message says why, for a person. `history` holds the hops before it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.history: tuple[Hop, ...] = ()


class Unreachable(Exception):
    """It did not answer as it should; the message says how, for a person. `history` holds the hops before it."""

    def __init__(self, kind: Kind, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why
        self.history: tuple[Hop, ...] = ()


class Deadline:
    """A moment that several steps share."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, at_most: float) -> float:
        """Return the seconds until the deadline, `at_most` at most. Raises Unreachable when none are left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise Unreachable(Kind.TIMEOUT, f"No complete answer within {self._seconds:g} seconds")
        return min(left, at_most)
