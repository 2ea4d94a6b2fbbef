"""Texts as a reader sees them: look-alike characters folded, invisible ones dropped, every offset kept."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

_CONFUSABLE = dict(
    zip(
        "аеорсухіјѕӏԁһԛԝпгѵոкмтвнАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορτυχικεɡıⅼｌ",
        "aeopcyxijsldhqwnrvnkmtbhABEKMHOPCTYXIJSABEZHIKMNOPTYXavoptyxikegill",
        strict=True,
    )
)
_SOFT_HYPHEN = "\u00ad"
_FILLERS = "\u115f\u1160\u3164\u034f"
_APOSTROPHES = "\u2018\u2019\u02bc\uff07"
_DASHES = "\u058a\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_FOREIGN_WORD = re.compile(r"(?<!\w)[A-Za-z0-9_]*[^\W\x00-\x7f]\w*")


class _Folding(dict[int, str]):
    """What stands for each code point: no accents, plain dashes, digits and blanks; nothing for the invisible."""

    def __missing__(self, code: int) -> str:
        folded = _fold(chr(code))
        if len(self) < 20_000:
            self[code] = folded
        return folded


def _fold(character: str) -> str:
    if character == _SOFT_HYPHEN or character in _FILLERS:
        return ""
    if character in _DASHES:
        return "-"
    if character in _APOSTROPHES:
        return "'"
    category = unicodedata.category(character)
    if category in ("Cf", "Me") or "\u0300" <= character <= "\u036f" or "\ufe00" <= character <= "\ufe0f":
        return ""
    if category == "Zs":
        return " "
    if category == "Nd":
        return str(unicodedata.digit(character))
    folded = unicodedata.normalize("NFKD", character)
    if len(folded) == 1 or (folded[0].isascii() and all(unicodedata.combining(mark) for mark in folded[1:])):
        return folded[0]
    return character


_FOLDING = _Folding()


@dataclass(frozen=True, slots=True)
class View:
    """`text` as read; `offsets[i]` is where its character `i` stands in the original (None: at the same place)."""

    text: str
    offsets: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the original that `start` to `end` of this view came from."""
        if self.offsets is None:
            return start, end
        return self.offsets[start], self.offsets[end - 1] + 1

    def part(self, start: int, end: int) -> "View":
        """The view of `start` to `end` alone."""
        offsets = range(start, end) if self.offsets is None else self.offsets[start:end]
        return View(self.text[start:end], offsets)


def plain_view(text: str) -> View:
    """`text` in compatibility form, without invisible characters. Linear; free for ASCII."""
    if text.isascii():
        return View(text)
    folded = text.translate(_FOLDING)
    if len(folded) == len(text):
        return View(folded)
    return View(folded, list(compress(range(len(text)), map(_FOLDING.__getitem__, map(ord, text)))))


def latin_view(view: View) -> View | None:
    """`view` with Cyrillic and Greek look-alikes made Latin in words that mix scripts; None without such a word."""
    if view.text.isascii():
        return None
    changed = False

    def fold(found: re.Match[str]) -> str:
        nonlocal changed
        word = found.group()
        folded = "".join(_CONFUSABLE.get(character, character) for character in word)
        if folded != word and folded.isascii():
            changed = True
            return folded
        return word

    text = _FOREIGN_WORD.sub(fold, view.text)
    return View(text, view.offsets) if changed else None
