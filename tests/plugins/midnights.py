"""No test is under way when a day ends: those that would begin just before midnight (UTC) wait for the next day.

What a test says of today, this month or this trial is then true from its first line to its last one.
"""

import time
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest

SHORT, LONG = timedelta(seconds=20), timedelta(minutes=4)
LONG_ONES = frozenset({"browser", "prove", "temporal"})


def wait_before(now: datetime, room: timedelta) -> float:
    """Return for how many seconds a test waits that takes as long as `room` at most."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    left = midnight - now
    return left.total_seconds() + 1 if left < room else 0.0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait before the test's own time begins to count."""
    long = any(item.get_closest_marker(name) for name in LONG_ONES)
    time.sleep(wait_before(datetime.now(UTC), LONG if long else SHORT))
    return (yield)
