"""What an API key is held to: its name, the networks that it is used from, its limit and how long it lasts."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import ColumnElement

from app.core.permissions import KEY_SCOPES
from app.db.directory import KeyHolder
from app.models.accounts import ApiKey

MOST_NETWORKS = 32
MOST_CALLS = 60_000
LONGEST = timedelta(days=5 * 366)
SOON = timedelta(days=14)
STEPS = (0, 3, 14)  # days before its end on which a key is told of
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


def written(moment: datetime | None) -> str | None:
    """Return a moment as audit rows hold it, to the second."""
    return None if moment is None else moment.isoformat(timespec="seconds")


def state_of(revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> str:
    """Return revoked, expired or active."""
    if revoked_at is not None:
        return "revoked"
    return "expired" if expires_at is not None and expires_at <= now else "active"


def ends_soon(revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> bool:
    """Tell whether a key in force expires within 14 days."""
    return revoked_at is None and expires_at is not None and now < expires_at <= now + SOON


def told_with_end(expires_at: datetime | None, now: datetime) -> int | None:
    """Return the step that counts as told where a key is given this end now: nobody is told of what they just chose.

    A step is for keys that have twice as many days at least; nobody is told of one that lasts for hours.
    """
    if expires_at is None:
        return None
    return next((step for step in STEPS if expires_at - now < timedelta(days=max(1, 2 * step))), None)


def in_force(at: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    """Return the condition of keys that are neither revoked nor over at that moment."""
    return ApiKey.revoked_at.is_(None) & (ApiKey.expires_at.is_(None) | (ApiKey.expires_at > at))


def limits_of(holder: KeyHolder) -> int | None:
    """Return how many calls a minute the key itself is answered; None where the plan alone says so."""
    return holder.calls_per_minute


def check_name(name: str) -> dict[str, str]:
    """Return what is wrong with a name, by the name of its field."""
    if not name.strip():
        return {"name": "must not be empty"}
    if len(name.strip()) > 80 or any(ord(character) < 32 for character in name):
        return {"name": "at most 80 characters, on one line"}
    return {}


def check_networks(lines: Sequence[str], problems: dict[str, str]) -> list[str]:
    """Return networks in their written form; what is wrong with them is added to `problems`."""
    try:
        return read_networks(lines)
    except ValueError as error:
        problems["networks"] = str(error)
        return []


def check_limit(calls_per_minute: int | None) -> dict[str, str]:
    """Return what is wrong with a limit, by the name of its field."""
    if calls_per_minute is not None and not 1 <= calls_per_minute <= MOST_CALLS:
        return {"calls_per_minute": f"from 1 to {MOST_CALLS:,}, or empty for what the plan says"}
    return {}


def check_scopes(scopes: Sequence[str], *, field: str = "scopes") -> dict[str, str]:
    """Return what is wrong with a set of scopes, by the name of its field."""
    if not scopes:
        return {field: "choose at least one"}
    if unknown := sorted(set(scopes) - {str(scope) for scope in KEY_SCOPES}):
        return {field: "unknown: " + ", ".join(unknown)}
    return {}
