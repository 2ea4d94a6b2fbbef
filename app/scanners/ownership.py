"""Proof that a tenant controls one host and port: a DNS record or a file that only the owner can place there.

The token belongs to one host and port. A DNS record names no port, so it proves the port whose token it holds.
"""

import hmac
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from app.core.clock import Clock, SystemClock
from app.core.outbound import (
    Kind,
    Location,
    Policy,
    Refused,
    Unreachable,
    ask_txt,
    fetch,
    locate,
    resolvers_of,
    unverified_context,
)

WELL_KNOWN_PATH = "/.well-known/sentinel-challenge.txt"
_MOST_FILE_BYTES = 4096
_NO_RECORD, _ANOTHER = "no such record", "holds another value"
_DEFINITE = frozenset({_NO_RECORD, _ANOTHER})
_MOST_RESOLVERS = 8


class Method(StrEnum):
    """How control is shown."""

    DNS = "dns"
    FILE = "file"


@dataclass(frozen=True)
class Attempt:
    """One question asked and how it went; never holds what was answered.

    `asked` is the resolver, or the URL; `status` is a few words for a person; `at` is in UTC.
    """

    method: Method
    asked: str
    matched: bool
    status: str
    at: datetime


def challenge_name(host: str) -> str:
    """Return the DNS name at which the TXT record of `host` is looked for."""
    return f"_sentinel-challenge.{host}"


def challenge_value(token: str) -> str:
    """Return what the record, or the file, holds."""
    return f"sentinel-verification={token}"


def challenge_url(url: str) -> str:
    """Return the address of the file on the scheme, host and port of `url`. Raises Refused."""
    return _file_of(locate(url)).url


def check_dns(host: str, token: str, policy: Policy, *, clock: Clock | None = None) -> list[Attempt]:
    """Ask each of the policy's resolvers, or else of the system's, for the record; raises for nothing it meets."""
    now = (clock or SystemClock()).now
    servers = resolvers_of(policy)[:_MOST_RESOLVERS]
    if not servers:
        return [Attempt(Method.DNS, "the system's resolver", False, "no resolver is configured", now())]

    def ask(server: str) -> Attempt:
        matched, status = _ask(host, token, server, policy)
        return Attempt(Method.DNS, server, matched, status, now())

    with ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(ask, servers))


def check_file(url: str, token: str, policy: Policy, *, clock: Clock | None = None) -> list[Attempt]:
    """Fetch the file from exactly the scheme, host and port of `url`; raises for nothing it meets.

    No redirect is followed: to another host or port it would prove nothing. The certificate is not checked, as on plain
    HTTP there is none either: whoever has a faulty one should be able to have it examined.
    """
    now = (clock or SystemClock()).now
    try:
        asked = challenge_url(url)
    except Refused as refusal:
        return [Attempt(Method.FILE, WELL_KNOWN_PATH, False, str(refusal), now())]
    matched, status = _look(asked, token, policy)
    return [Attempt(Method.FILE, asked, matched, status, now())]


def proved(attempts: list[Attempt]) -> bool:
    """Return whether any attempt matched."""
    return any(attempt.matched for attempt in attempts)


def absent(attempts: Sequence[Attempt]) -> bool:
    """Return whether every resolver that was asked answered that there is no such record, or another."""
    return bool(attempts) and all(not each.matched and each.status in _DEFINITE for each in attempts)


def _file_of(location: Location) -> Location:
    return replace(location, target=WELL_KNOWN_PATH)


def _same(found: bytes, token: str) -> bool:
    trimmed = found.removeprefix(b"\xef\xbb\xbf").strip()
    return hmac.compare_digest(trimmed, challenge_value(token).encode())


def _ask(host: str, token: str, server: str, policy: Policy) -> tuple[bool, str]:
    try:
        records = ask_txt(challenge_name(host), server, policy)
    except Unreachable as failure:
        return False, {Kind.NO_NAME: _NO_RECORD, Kind.TIMEOUT: "timed out"}.get(failure.kind, "refused or failed")
    matches = [_same(record, token) for record in records]
    return (True, "found") if any(matches) else (False, _ANOTHER)


def _look(asked: str, token: str, policy: Policy) -> tuple[bool, str]:
    small = replace(policy, max_bytes=_MOST_FILE_BYTES)
    try:
        answer = fetch("GET", asked, small, verify=unverified_context(), follow=False)
    except Refused as refusal:
        return False, f"refused: {refusal}"
    except Unreachable as failure:
        return False, "timed out" if failure.kind is Kind.TIMEOUT else str(failure)
    if answer.status in {404, 410}:
        return False, "no such file"
    if 300 <= answer.status < 400:
        return False, "redirects elsewhere, which proves nothing"
    if answer.status != 200:
        return False, f"answered with status {answer.status}"
    if answer.truncated:
        return False, "the file is too large, or broke off"
    return (True, "found") if _same(answer.body, token) else (False, "holds another value")
