"""The demonstration target's pages: most with faults that a posture scan finds, one as it should be."""

from dataclasses import dataclass

CHALLENGE_PATH = "/.well-known/sentinel-challenge.txt"
_HTML = "text/html; charset=utf-8"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Page:
    """An answer, without what depends on the request."""

    body: str
    status: int = 200
    kind: str = _HTML
    headers: Headers = ()
    reflects_origin: bool = False


def page_at(path: str, *, secure: bool) -> Page:
    """Return the page at `path`; the same in clear as under TLS, but for what only one of them can have."""
    if path == "/account" and secure:
        return _ACCOUNT
    return _PAGES.get(path, _MISSING)


def _html(title: str, content: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>\n'
        f"</head>\n<body>\n<h1>{title}</h1>\n{content}\n"
        '<p>This shop is made up. Its faults are deliberate: it is here to be scanned. <a href="/">Start</a> '
        '<a href="/basket">Basket</a> <a href="/account">Account</a> <a href="/well-kept">Well kept</a></p>\n'
        "</body>\n</html>\n"
    )


# Said by every page but the well kept one.
_BANNER: Headers = (("Server", "Apache/2.4.29 (Ubuntu)"), ("X-Powered-By", "PHP/7.2.24"))

_START = Page(
    _html(
        "Lantern Books",
        '<img src="http://images.lantern.example/shelf.jpg" alt="A shelf">\n'
        '<script src="http://cdn.lantern.example/carousel.js"></script>\n'
        '<script src="https://cdn.lantern.example/statistics.js"></script>\n'
        '<link rel="stylesheet" href="https://cdn.lantern.example/shop.css">\n'
        '<form method="post" action="http://lantern.example/newsletter"><input name="email"></form>\n'
        '<p><a href="https://partner.example/" target="_blank" rel="opener">Our partner</a></p>',
    ),
    headers=(
        *_BANNER,
        ("Set-Cookie", "session=6f1c9e0b2d; Path=/"),
        ("Set-Cookie", "__Host-basket=4; Path=/basket"),
        ("Set-Cookie", "tracking=1; Path=/; SameSite=None"),
        ("Referrer-Policy", "unsafe-url"),
        ("Cache-Control", "public, max-age=600"),
    ),
    reflects_origin=True,
)
_BASKET = Page(
    _html("Basket", "<script>document.write('2 books')</script>"),
    headers=(
        *_BANNER,
        ("Content-Security-Policy", "default-src *; script-src 'self' 'unsafe-inline' 'unsafe-eval' data:"),
        ("Strict-Transport-Security", "max-age=300"),
        ("X-Frame-Options", "ALLOW-FROM https://partner.example"),
        ("X-Content-Type-Options", "none"),
    ),
)
_ACCOUNT = Page(
    _html("Account", '<form method="get"><input type="password" name="password"></form>'),
    headers=(*_BANNER, ("Set-Cookie", "remember=b41c7d; Path=/; Max-Age=31536000; Secure")),
)
_WELL_KEPT = Page(
    _html("Well kept", "<p>Nothing to find on this page.</p>"),
    headers=(
        ("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
        ("Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Set-Cookie", "__Host-seen=1; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("Cache-Control", "no-store"),
    ),
)
_SECURITY_TXT = Page(
    "Contact: mailto:security@lantern.example\nExpires: 2024-01-01T00:00:00Z\n", kind="text/plain; charset=utf-8"
)
_SIGN_IN = Page(_html("Sign in", '<form method="post"><input type="password" name="p"></form>'), headers=_BANNER)
_MISSING = Page(_html("Not here", "<p>Warning: include(/var/www/shop/404.php) on line 12</p>"), 404, headers=_BANNER)

_PAGES = {
    "/": _START,
    "/basket": _BASKET,
    "/account": Page("", 302, headers=(*_BANNER, ("Location", "/sign-in"))),
    "/sign-in": Page("", 302, headers=(*_BANNER, ("Location", "/login.php"))),
    "/login.php": _SIGN_IN,
    "/well-kept": _WELL_KEPT,
    "/.well-known/security.txt": _SECURITY_TXT,
}
