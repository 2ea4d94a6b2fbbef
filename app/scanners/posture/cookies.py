"""Cookies as a server sets them: parsing (RFC 6265bis), and which flags are missing."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.scanners.posture.evidence import found, masked
from app.scanners.probes import Fault

_MOST_COOKIES = 60
_SESSION = re.compile(
    r"sess|sid(?![a-z])|(?<![a-z])sid|auth|token|jwt|login|remember|identity|credential|csrf|xsrf|"
    r"connect\.|aspxauth|laravel|wordpress_|(?<![a-z])sso",
    re.I,
)
_FOR_SCRIPTS = re.compile(r"csrf|xsrf", re.I)


@dataclass(frozen=True)
class Cookie:
    """A cookie without its value: only its name and attributes (names in lower case; the last of a kind counts)."""

    name: str
    attributes: tuple[tuple[str, str], ...]

    def get(self, attribute: str) -> str | None:
        """Return that attribute's value ('' where it has none), or None where it is not there."""
        return next((value for key, value in reversed(self.attributes) if key == attribute), None)

    @property
    def secure(self) -> bool:
        return self.get("secure") is not None

    @property
    def looks_like_session(self) -> bool:
        """Whether its name says that it carries a sign-in or guards one."""
        return bool(_SESSION.search(self.name))

    @property
    def is_deleted(self) -> bool:
        """Whether the answer only takes it back."""
        age = self.get("max-age")
        if age is not None:
            return age.startswith("-") or age == "0"
        return "1970" in (self.get("expires") or "")

    def shown(self) -> str:
        """Return it as the server wrote it, with the value masked."""
        flags = [key if not value else f"{key}={masked(value)}" for key, value in self.attributes]
        return "; ".join([f"{masked(self.name)}=***", *flags])


def parse_cookie(header: str) -> Cookie | None:
    """Parse one Set-Cookie header as browsers do; None where they would ignore it. Never raises."""
    pair, *rest = header[:8192].split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", pair
    name = name.strip(" \t")
    if not name and not value.strip():
        return None
    attributes = []
    for part in rest[:40]:
        key, _, argument = part.partition("=")
        if key.strip():
            attributes.append((key.strip().lower()[:40], argument.strip()[:200]))
    return Cookie(name[:120], tuple(attributes))


def judge_cookies(headers: Iterable[str]) -> Iterator[Fault]:
    """Yield what each cookie lacks, once per name; cookies that are being deleted are left out."""
    seen: set[tuple[str, str]] = set()
    for header in list(headers)[:_MOST_COOKIES]:
        cookie = parse_cookie(header)
        if cookie is None or cookie.is_deleted:
            continue
        for rule in _lacks(cookie):
            if (rule, cookie.name) not in seen:
                seen.add((rule, cookie.name))
                yield found(rule, f"cookie {masked(cookie.name)}", f"Set-Cookie: {cookie.shown()}")


def _lacks(cookie: Cookie) -> Iterator[str]:
    if _breaks_prefix(cookie):
        yield "cookie-prefix"
    elif not cookie.secure:
        yield "cookie-insecure"
    if not cookie.looks_like_session:
        return
    if cookie.get("httponly") is None and not _FOR_SCRIPTS.search(cookie.name):
        yield "cookie-script-readable"
    if (cookie.get("samesite") or "").lower() not in ("strict", "lax", "none"):
        yield "cookie-samesite"


def _breaks_prefix(cookie: Cookie) -> bool:
    name = cookie.name.lower()
    if name.startswith("__host-"):
        return not cookie.secure or cookie.get("path") != "/" or bool(cookie.get("domain"))
    return name.startswith("__secure-") and not cookie.secure
