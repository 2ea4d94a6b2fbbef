"""The start tags of a page, read in one pass whose time grows only with the text (html.parser's does not)."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

_GAP = re.compile(r"[\s/]*")
_NAME = re.compile(r"[^\s/>]+")
_ATTRIBUTE = re.compile(r"=?[^\s/>=]*")
_EQUALS = re.compile(r"\s*=\s*")
_UNQUOTED = re.compile(r"[^\s>]*")
_MOST_ATTRIBUTES = 100
_MOST_VALUE = 8192
_RAW = {
    name: re.compile(f"</{name}(?=[\\s/>])", re.I)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}


@dataclass(frozen=True)
class Tag:
    """A start tag: its name and attributes in lower case, character references resolved; first of a kind counts."""

    name: str
    attributes: dict[str, str]

    def get(self, attribute: str) -> str:
        """Return the attribute's value without spaces around it, '' where it is not there."""
        return self.attributes.get(attribute, "").strip()


def start_tags(text: str) -> Iterator[Tag]:
    """Yield each start tag outside comments and raw text, as the HTML standard's tokenizer would. Never raises."""
    at = text.find("<")
    while at != -1:
        following = text[at + 1 : at + 2]
        if text.startswith("<!--", at):
            # "<!-->" and "<!--->" are whole comments
            end = text.find("-->", at + 2)
            at = _beyond(text, end, 3)
        elif following in ("!", "?", "/") and following:
            at = _beyond(text, text.find(">", at + 2), 1)
        elif following.isascii() and following.isalpha():
            tag, end = _read_tag(text, at + 1)
            if tag is None:
                return
            yield tag
            at = _after(text, tag.name, end)
        else:
            at = text.find("<", at + 1)


def _beyond(text: str, end: int, length: int) -> int:
    return -1 if end == -1 else text.find("<", end + length)


def _after(text: str, name: str, end: int) -> int:
    """Return where the next tag may begin: behind the raw text, for elements that hold it."""
    closing = _RAW.get(name)
    if closing is None:
        return text.find("<", end)
    found = closing.search(text, end)
    return found.start() if found else -1


def _read_tag(text: str, at: int) -> tuple[Tag | None, int]:
    """Read a tag whose name begins at `at`; None where the text ends within it (browsers drop it then)."""
    named = _NAME.match(text, at)
    if named is None:
        return None, at
    attributes: dict[str, str] = {}
    at = named.end()
    while True:
        gap = _GAP.match(text, at)
        at = gap.end() if gap else at
        if at >= len(text):
            return None, at
        if text[at] == ">":
            return Tag(named.group().lower()[:60], attributes), at + 1
        name, value, at = _read_attribute(text, at)
        if value is None:
            return None, at
        if len(attributes) < _MOST_ATTRIBUTES:
            attributes.setdefault(name.lower()[:60], html.unescape(value[:_MOST_VALUE]))


def _read_attribute(text: str, at: int) -> tuple[str, str | None, int]:
    """Read one attribute; its value is None where the text ends within it."""
    named = _ATTRIBUTE.match(text, at)
    name, at = (named.group(), named.end()) if named else ("", at + 1)
    equals = _EQUALS.match(text, at)
    if equals is None:
        return name, "", at
    at = equals.end()
    quote = text[at : at + 1]
    if quote in ('"', "'") and quote:
        end = text.find(quote, at + 1)
        return (name, None, at) if end == -1 else (name, text[at + 1 : end], end + 1)
    value = _UNQUOTED.match(text, at)
    return (name, value.group(), value.end()) if value else (name, "", at)
