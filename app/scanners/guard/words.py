"""Where each word of a text stands, so that a rule is tried only at the words it begins with."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

_WORD = re.compile(r"[^\W_]+(?:'[^\W\d_]{1,2}(?![^\W_]))?")


class Started(Protocol):
    """A rule that says with which words its pattern begins."""

    @property
    def starts(self) -> frozenset[str]: ...

    @property
    def pattern(self) -> re.Pattern[str]: ...


R = TypeVar("R", bound=Started)


def word_set(text: str) -> frozenset[str]:
    """The words of `text`, which are parted by blanks."""
    return frozenset(text.split())


def is_unparted(character: str) -> bool:
    """Whether `character` belongs to a script that writes words without blanks between them (Han, Kana, Hangul)."""
    return "\u3040" <= character <= "\u30ff" or "\u3400" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7a3"


class Rulebook(Generic[R]):
    """Rules by the words they begin with."""

    def __init__(self, rules: Iterable[R]) -> None:
        self.rules = tuple(rules)
        self.by_word: dict[str, list[int]] = {}
        self.unparted: list[tuple[str, int]] = []
        for index, rule in enumerate(self.rules):
            for start in rule.starts:
                if is_unparted(start[0]):
                    self.unparted.append((start, index))
                else:
                    self.by_word.setdefault(start, []).append(index)


class Words:
    """The words of a text in lower case with their places. Built in one pass."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        places = self._places
        lower = text.lower()
        for found in _WORD.finditer(lower if len(lower) == len(text) else text):
            places[found[0]].append(found.start())

    def __contains__(self, word: str) -> bool:
        return word in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def holds_any(self, words: frozenset[str]) -> bool:
        """Whether one of `words` stands in the text."""
        return not words.isdisjoint(self._places)

    def matches(self, book: Rulebook[R]) -> Iterator[tuple[R, re.Match[str]]]:
        """Each rule with its matches, which begin at one of its words and none inside an earlier one of that rule."""
        places: dict[int, list[int]] = {}
        for word in book.by_word.keys() & self._places.keys():
            for index in book.by_word[word]:
                places.setdefault(index, []).extend(self._places[word])
        if book.unparted and not self.text.isascii():
            for start, index in book.unparted:
                if start in self.text:
                    found_at = (found.start() for found in re.finditer(re.escape(start), self.text))
                    places.setdefault(index, []).extend(found_at)
        for index in sorted(places):
            rule = book.rules[index]
            end = 0
            for place in sorted(places[index]):
                if place >= end and (found := rule.pattern.match(self.text, place)):
                    end = found.end()
                    yield rule, found
