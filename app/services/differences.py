"""What a change changed: the names whose values differ, with what was added and removed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One name before and after; `word` is added, removed or changed, `gained` and `lost` are items of a list."""

    name: str
    word: str
    before: Any
    after: Any
    gained: tuple[Any, ...] = ()
    lost: tuple[Any, ...] = ()


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Difference]:
    """Return how `after` differs from `before`, by name in the order given; a value that is null is none."""
    old = {name: value for name, value in (before or {}).items() if value is not None}
    new = {name: value for name, value in (after or {}).items() if value is not None}
    return [
        _difference(name, old.get(name), new.get(name))
        for name in {**old, **new}
        if name not in old or name not in new or old[name] != new[name]
    ]


def _difference(name: str, old: Any, new: Any) -> Difference:
    if old is None or new is None:
        return Difference(name, "added" if old is None else "removed", old, new)
    if isinstance(old, list) and isinstance(new, list):
        gained = tuple(item for item in new if item not in old)
        lost = tuple(item for item in old if item not in new)
        return Difference(name, "changed", old, new, gained, lost)
    return Difference(name, "changed", old, new)
