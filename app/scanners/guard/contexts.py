"""What the words around a number call it: whole words only, the nearest one decides."""

import re
from dataclasses import dataclass

from app.scanners.guard.words import is_unparted

BEFORE = 90
AFTER = 45
_TOKEN = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"([a-z])([A-Z])")
_HEAD = re.compile(r"[^\W\d_]*")


@dataclass(frozen=True, slots=True)
class Around:
    """The lower-case words before and after a stretch, the nearest first in both."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    def distance(self, words: frozenset[str], *, reach: int = 12) -> int | None:
        """How many words away the nearest of `words` is (1: adjacent), or None. A word after counts as two further."""
        best = None
        for index, word in enumerate(self.before[:reach], 1):
            if word in words:
                best = index
                break
        for index, word in enumerate(self.after[: reach // 2], 3):
            if word in words:
                return index if best is None else min(best, index)
        return best

    def just_before(self, words: frozenset[str], *, reach: int) -> bool:
        """Whether one of `words` is among the `reach` words before."""
        return not words.isdisjoint(self.before[:reach])

    def speaks_of(self, words: frozenset[str], *, rather_than: frozenset[str] = frozenset(), reach: int = 12) -> bool:
        """Whether one of `words` stands near, and none of `rather_than` nearer."""
        near = self.distance(words, reach=reach)
        if near is None:
            return False
        other = self.distance(rather_than, reach=reach)
        return other is None or near <= other


def around(text: str, start: int, end: int) -> Around:
    """The words near `start` to `end`, at most 90 characters before and 45 after; a word cut by that limit is left out.

    An empty line ends the neighbourhood.
    """
    low = max(0, start - BEFORE)
    high = min(len(text), end + AFTER)
    before = text[low:start].rpartition("\n\n")[2]
    if low and len(before) == start - low and _is_letter(text[low - 1]):
        before = before[_head(before) :]
    after = text[end:high].partition("\n\n")[0]
    if high < len(text) and len(after) == high - end and _is_letter(text[high]):
        after = _without_last_word(after)
    return Around(tuple(reversed(words(before))), tuple(words(after)))


def words(text: str) -> list[str]:
    """The words of `text` in lower case; `creditCard` and `credit_card` are two words each."""
    parted = _CAMEL.sub(r"\1 \2", text) if _CAMEL.search(text) else text
    found = _TOKEN.findall(parted.lower())
    return found if parted.isascii() else [part for word in found for part in _parts(word)]


def _parts(word: str) -> list[str]:
    """`word`, or, in a script without blanks, its stretches of two to eight characters, which include its words."""
    if not is_unparted(word[0]):
        return [word]
    return [word[start : start + size] for size in range(1, 9) for start in range(len(word) - size + 1)]


def _head(text: str) -> int:
    found = _HEAD.match(text)
    return found.end() if found else 0


def _without_last_word(text: str) -> str:
    end = len(text)
    while end and text[end - 1].isalpha():
        end -= 1
    return text[:end]


def _is_letter(character: str) -> bool:
    return character.isalpha()
