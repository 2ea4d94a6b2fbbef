"""What a text says once its disguises are off: look-alike letters, digits for letters, rot13, base64, hex, spelling."""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator

from app.scanners.guard.injection_rules import SQUEEZED, TRIGGERS
from app.scanners.guard.views import View, latin_view
from app.scanners.guard.words import Words

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}+={0,2}")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:[2-7][0-9A-Fa-f]|0[9aAdD]){16,}+")
_SPELLED = re.compile(r"(?<!\w)[A-Za-z](?:[ .\-*|/\u00b7]{1,3}[A-Za-z](?!\w)){7,}+")
_LINE = re.compile(r"[^\n]++")
_WORD = re.compile(r"[^\W_]+")
_LEET = (str.maketrans("013457@$!", "oleastasi"), str.maketrans("013457@$!", "oieastasi"))
_LEET_WORD = re.compile(r"(?<![\w@$!-])[A-Za-z0-9@$!]{3,24}(?![\w@$!-])")
_ROT13 = frozenset(codecs.encode(word, "rot13") for word in TRIGGERS if len(word) > 4 and word.isascii())
_REVERSED = frozenset(word[::-1] for word in TRIGGERS if len(word) > 4)
_PRINTABLE = bytes(range(32, 127)) + b"\t\n\r"


def undisguised(view: View, words: Words) -> Iterator[tuple[View, str]]:
    """Parts of the text read otherwise, each with the name of the disguise; none for a text that wears none."""
    latin = latin_view(view)
    if latin:
        yield latin, "look-alike letters"
    if words.holds_any(_ROT13):
        for part in _around(view, _ROT13):
            yield View(codecs.encode(part.text, "rot13"), part.offsets), "rot13"
    numbered = [word for word in words if not word.isalpha() and not word.isdigit() and word.isascii()]
    for letters in _LEET:
        spelled = frozenset(word for word in numbered if word.translate(letters) in TRIGGERS)
        for part in _around(view, spelled) if spelled else ():
            yield View(_lettered(part.text, letters), part.offsets), "digits for letters"
    if words.holds_any(_REVERSED):
        for part in _around(view, _REVERSED):
            end = len(part.text)
            offsets = list(reversed(part.offsets or range(end)))
            yield View(part.text[::-1], offsets), "reversed"


def _around(view: View, words: frozenset[str]) -> Iterator[View]:
    """The lines of `view` that hold one of `words`, with a line before and after, joined where they touch."""
    lines = [(found.start(), found.end()) for found in _LINE.finditer(view.text)]
    holding = [index for index, (start, end) in enumerate(lines) if not words.isdisjoint(_words(view.text[start:end]))]
    first = last = -1
    for index in holding:
        if first >= 0 and index - 1 > last:
            yield view.part(lines[first][0], lines[last][1])
            first = -1
        if first < 0:
            first = max(index - 1, last + 1 if last >= 0 else 0)
        last = min(index + 1, len(lines) - 1)
    if first >= 0:
        yield view.part(lines[first][0], lines[last][1])


def _words(line: str) -> list[str]:
    return _WORD.findall(line.lower())


def _lettered(text: str, letters: dict[int, int]) -> str:
    def spell(found: re.Match[str]) -> str:
        return found.group().translate(letters)

    return _LEET_WORD.sub(spell, text)


def unpacked(view: View) -> Iterator[tuple[int, int, str, str]]:
    """Start and end in the original of each stretch that hides a text, that text, and how it was hidden."""
    for found in _BASE64.finditer(view.text):
        inner = _from_base64(found.group())
        if inner:
            yield *view.span(*found.span()), inner, "base64"
    for found in _HEX.finditer(view.text):
        inner = _readable(bytes.fromhex(found.group()))
        if inner:
            yield *view.span(*found.span()), inner, "hex"
    for found in _SPELLED.finditer(view.text):
        letters = "".join(character for character in found.group().lower() if character.isalpha())
        hidden = SQUEEZED.search(letters)
        if hidden:
            yield *view.span(*found.span()), "ignore all previous instructions", "spelled out"


def _from_base64(value: str) -> str | None:
    if value.isalpha() and (value.islower() or value.isupper()):
        return None
    padded = value.rstrip("=").replace("-", "+").replace("_", "/")
    padded = padded[: len(padded) - (len(padded) % 4 == 1)]
    try:
        return _readable(base64.b64decode(padded + "=" * (-len(padded) % 4)))
    except (binascii.Error, ValueError):
        return None


def _readable(data: bytes) -> str | None:
    """`data` as text if it is one: at least nine in ten bytes printable ASCII, and a blank among them."""
    if b" " not in data or len(data.translate(None, _PRINTABLE)) > 0.1 * len(data):
        return None
    return data.decode("utf-8", "replace")
