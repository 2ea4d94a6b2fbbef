"""Whose turn it is where a question has a limit: whoever failed comes after the others, and keeps none waiting."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Due = TypeVar("Due")


class Turns(Generic[Due]):
    """One thread's memory of whose work failed; without it a hundred such tenants would be the answer each time."""

    def __init__(self, who: Callable[[Due], Hashable]) -> None:
        """`who` names what is due, alike each time that it is due."""
        self._who = who
        self._failed: set[Hashable] = set()

    def take(self, question: Callable[[int], list[Due]], most: int) -> list[Due]:
        """Return at most `most` of what the question, asked for so many, finds: those that failed last."""
        asked = most + len(self._failed)
        found = question(asked)
        if len(found) < asked:
            self._failed &= {self._who(due) for due in found}
        return sorted(found, key=lambda due: self._who(due) in self._failed)[:most]

    def note(self, due: Due, *, done: bool) -> None:
        """Remember whether it was done."""
        if done:
            self._failed.discard(self._who(due))
        else:
            self._failed.add(self._who(due))
