"""What was seen over HTTP, as plain data that the judging modules read."""

from dataclasses import dataclass
from urllib.parse import urlsplit

_MOST_HEADERS = 300
_MOST_VALUE = 16_384
_PAGE_TYPES = ("text/html", "application/xhtml+xml", "image/svg+xml")


@dataclass(frozen=True)
class Answer:
    """One answer: the address asked for, its status, its headers (names in lower case, in order), its body as text."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: str = ""
    truncated: bool = False

    @property
    def secure(self) -> bool:
        return self.url.lower().startswith("https://")

    def all(self, name: str) -> list[str]:
        """Return every value of that header (its name in lower case), in order."""
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str | None:
        """Return the first value of that header, or None."""
        return next(iter(self.all(name)), None)

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty where there is none."""
        return (self.first("content-type") or "").split(";")[0].strip().lower()

    @property
    def is_page(self) -> bool:
        """Whether a browser shows it as a document that may hold scripts (an unnamed type may be guessed as one)."""
        return self.content_type in ("", *_PAGE_TYPES)

    @property
    def redirects(self) -> bool:
        return self.status in (301, 302, 303, 307, 308) and self.first("location") is not None


def kept_headers(pairs: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers with names in lower case, the first few hundred, each value capped."""
    return tuple((name.strip().lower(), value.strip()[:_MOST_VALUE]) for name, value in pairs[:_MOST_HEADERS])


def origin_of(url: str) -> str | None:
    """Return scheme://host:port in lower case with the port written out, or None for what is no http(s) address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return None
    default = 443 if parts.scheme.lower() == "https" else 80
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme.lower()}://{host.rstrip('.').lower()}:{port or default}"


def path_of(url: str) -> str:
    """Return the path of an address without its query: a place that stays the same from scan to scan."""
    try:
        return urlsplit(url).path or "/"
    except ValueError:
        return "/"
