"""The networks and the last day of an API key, as people write them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.services.key_rules import comes_from, end_of, read_networks

NOW = datetime(2026, 3, 14, 23, 30, tzinfo=UTC)


def test_networks_have_one_written_form() -> None:
    """Addresses become networks of one, IPv6 is shortened, doubles and empty lines go, the order stays."""
    lines = ["203.0.113.7", " 2001:0DB8:0::/32 ", "", "10.0.0.0/255.0.0.0", "203.0.113.7/32"]
    assert read_networks(lines) == ["203.0.113.7/32", "2001:db8::/32", "10.0.0.0/8"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("office", "is not an address"),
        ("203.0.113.300", "is not an address"),
        ("203.0.113.0/33", "is not an address"),
        ("203.0.113.7/24", "write 203.0.113.0/24 or 203.0.113.7"),
        ("2001:db8::1/32", "write 2001:db8::/32 or 2001:db8::1"),
        ("0.0.0.0/0", "every address"),
        ("::/0", "every address"),
        ("fe80::1%eth0", "plain"),
        ("::ffff:203.0.113.7", "plain"),
    ],
)
def test_what_is_no_network_is_named(line: str, words: str) -> None:
    """Whoever mistypes a network reads which line it was and what to write."""
    with pytest.raises(ValueError, match=words) as caught:
        read_networks(["198.51.100.0/24", line])
    assert line in str(caught.value)


def test_networks_are_not_endless() -> None:
    """A key takes 32 networks, no more."""
    lines = [f"10.0.{number}.0/24" for number in range(33)]
    assert len(read_networks(lines[:32])) == 32
    with pytest.raises(ValueError, match="at most 32"):
        read_networks(lines)


@pytest.mark.parametrize(
    ("address", "networks", "inside"),
    [
        ("203.0.113.7", [], True),
        (None, [], True),
        ("203.0.113.7", ["203.0.113.0/24"], True),
        ("203.0.114.7", ["203.0.113.0/24"], False),
        ("::ffff:203.0.113.7", ["203.0.113.0/24"], True),
        ("2001:db8:1::9", ["203.0.113.0/24", "2001:db8::/32"], True),
        ("2001:db9::9", ["2001:db8::/32"], False),
        ("fe80::1%eth0", ["fe80::/10"], True),
        ("unix:", ["203.0.113.0/24"], False),
        (None, ["203.0.113.0/24"], False),
    ],
)
def test_an_address_is_inside_or_not(address: str | None, networks: list[str], inside: bool) -> None:
    """An address counts by its value, mapped or not; one that is unknown is outside."""
    assert comes_from(address, networks) is inside


def test_the_last_day_is_whole() -> None:
    """A key works through its last day in UTC."""
    assert end_of(date(2026, 3, 14), NOW) == datetime(2026, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize("day", [date(2026, 3, 13), date.max, date(2026, 3, 14) + timedelta(days=5 * 366 + 1)])
def test_the_last_day_lies_ahead_and_within_reach(day: date) -> None:
    """Days that are over or more than five years off are refused."""
    with pytest.raises(ValueError, match=r"over|five years"):
        end_of(day, NOW)
