"""No test is under way when a day ends."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.plugins.midnights import LONG, SHORT, wait_before


@pytest.mark.parametrize(
    ("time", "room", "seconds"),
    [
        ((12, 0, 0), LONG, 0),
        ((0, 0, 0), LONG, 0),
        ((23, 59, 30), SHORT, 0),
        ((23, 59, 50), SHORT, 11),
        ((23, 59, 0), LONG, 61),
    ],
)
def test_a_test_that_might_meet_midnight_waits_for_the_next_day(
    time: tuple[int, int, int], room: timedelta, seconds: int
) -> None:
    """It waits until a second after midnight in UTC where less is left than it may take, else not at all."""
    assert wait_before(datetime(2026, 12, 31, *time, tzinfo=UTC), room) == seconds
