"""What a change changed, in words."""

from app.services.differences import Difference, differences


def test_only_what_differs_is_told() -> None:
    """A value that stays is left out; one that comes, goes or changes has its word."""
    before = {"same": 1, "gone": "x", "other": "open", "null": None}
    after = {"same": 1, "other": "accepted", "new": False, "null": None}
    assert differences(before, after) == [
        Difference("gone", "removed", "x", None),
        Difference("other", "changed", "open", "accepted"),
        Difference("new", "added", None, False),
    ]


def test_the_items_of_a_list_are_told_one_by_one() -> None:
    """What was added to a list and what was taken from it."""
    (found,) = differences({"scopes": ["a", "b"]}, {"scopes": ["b", "c"]})
    assert (found.word, found.gained, found.lost) == ("changed", ("c",), ("a",))


def test_nothing_differs_from_nothing() -> None:
    """An event without values has no difference."""
    assert differences(None, None) == []
