"""One site for each thing that can be wrong, and what is then to be named: the table behind several tests."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from tests.peers.authorities import DAY, SOUND, Authority, Issue
from tests.peers.faulty import CLEAN_PAGE, POLICY, Site, contact_file

Context = Callable[[Authority], ssl.SSLContext]


@dataclass(frozen=True)
class Case:
    """A site, how it speaks TLS (None: not at all), and the rules to be named."""

    id: str
    site: Site
    named: frozenset[str]
    tls: Context | None


def _secure(authority: Authority) -> ssl.SSLContext:
    return authority.context()


def _page(rule: str, name: str | None = None, *, tls: Context | None = _secure, **changes: object) -> Case:
    return Case(name or rule, Site().but(**changes), frozenset({rule}), tls)  # type: ignore[arg-type]


def _header(rule: str, header: str, value: str | None, name: str | None = None) -> Case:
    return _page(rule, name, set_headers={header: value})


def _csp(rule: str, old: str, new: str, name: str | None = None) -> Case:
    assert old in POLICY
    return _header(rule, "Content-Security-Policy", POLICY.replace(old, new), name)


def _markup(rule: str, markup: str, name: str | None = None) -> Case:
    return _page(rule, name, page=CLEAN_PAGE.replace("</body>", markup + "</body>"))


def _cookie(rule: str, cookie: str, name: str | None = None) -> Case:
    return _page(rule, name, cookies=(cookie,))


def _issued(rule: str, issue: Issue, name: str | None = None, ciphers: str = SOUND) -> Case:
    return Case(name or rule, Site(), frozenset({rule}), lambda authority: authority.context(issue, ciphers=ciphers))


def _spoken(rule: str, change: Callable[[ssl.SSLContext], None], ciphers: str, issue: Issue | None = None) -> Case:
    def tls(authority: Authority) -> ssl.SSLContext:
        context = authority.context(issue, ciphers=ciphers)
        change(context)
        return context

    return Case(rule, Site(), frozenset({rule}), tls)


def _with_tls_1_0(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.options |= ssl.OP_NO_TLSv1_1


def _with_tls_1_1(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_1


def _without_tls_1_3(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def _echo(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin}


def _echo_with_credentials(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}


def _only(test: Callable[[str], bool]) -> Callable[[str], dict[str, str]]:
    return lambda origin: _echo_with_credentials(origin) if test(origin) else {}


def _canned(rule: str, suite: int, name: str, version: int = 0x0303) -> Case:
    return _page(rule, name, canned_suites=(suite,), canned_version=version)


_CSP, _HSTS = "Content-Security-Policy", "Strict-Transport-Security"
_OLD = "ECDHE+AESGCM:ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0"

FAULTS: tuple[Case, ...] = (
    _page("csp-missing", set_headers={_CSP: None}),
    _page("csp-report-only", set_headers={_CSP: None, "Content-Security-Policy-Report-Only": POLICY}),
    _header(
        "csp-scripts-unrestricted",
        _CSP,
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    _csp("csp-unsafe-inline", "script-src 'self'", "script-src 'self' 'unsafe-inline'"),
    _csp("csp-unsafe-eval", "script-src 'self'", "script-src 'self' 'unsafe-eval'"),
    _csp("csp-wide-source", "script-src 'self'", "script-src *"),
    _csp("csp-wide-source", "script-src 'self'", "script-src https:", "csp-scheme-only"),
    _csp("csp-wide-source", "object-src 'none'", "object-src data:", "csp-data-objects"),
    _csp("csp-insecure-source", "script-src 'self'", "script-src 'self' http://code.example"),
    _header(
        "csp-object-src",
        _CSP,
        "script-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    _csp("csp-base-uri", "base-uri 'none'; ", ""),
    _csp("csp-form-action", "form-action 'self'; ", ""),
    _csp("csp-malformed", "object-src 'none'", "object-src 'none'; scripts-src 'self'"),
    _header("hsts-missing", _HSTS, None),
    _header("hsts-short", _HSTS, "max-age=86400; includeSubDomains"),
    _header("hsts-subdomains", _HSTS, "max-age=31536000"),
    _header("hsts-preload-ineligible", _HSTS, "max-age=20000000; includeSubDomains; preload"),
    _header("hsts-malformed", _HSTS, "includeSubDomains"),
    _page("hsts-over-http", tls=None, moves={"/": (301, "https://127.0.0.1/")}),
    _page("cors-reflected-credentials", grants=_echo_with_credentials),
    _page("cors-reflected", grants=_echo),
    _page("cors-null-origin", grants=_only(lambda origin: origin == "null")),
    _page("cors-lookalike-origin", grants=_only(lambda origin: origin.startswith("https://127.0.0.1"))),
    _cookie("cookie-insecure", "theme=dark; Path=/"),
    _cookie("cookie-script-readable", "session=s3cr3tvalue; Path=/; Secure; SameSite=Lax"),
    _cookie("cookie-samesite", "session=s3cr3tvalue; Path=/; Secure; HttpOnly"),
    _cookie("cookie-prefix", "__Host-session=s3cr3tvalue; Path=/app; Secure; HttpOnly; SameSite=Lax"),
    _cookie("cookie-prefix", "__Secure-theme=dark; Path=/", "cookie-prefix-secure"),
    _page("framing-missing", set_headers={_CSP: POLICY.partition("; frame-ancestors")[0], "X-Frame-Options": None}),
    _csp("framing-ineffective", "frame-ancestors 'none'", "frame-ancestors *"),
    _page(
        "framing-ineffective",
        "framing-allow-from",
        set_headers={_CSP: POLICY.partition("; frame-ancestors")[0], "X-Frame-Options": "ALLOW-FROM https://a.example"},
    ),
    _header("sniffing", "X-Content-Type-Options", None),
    _header("content-type-missing", "Content-Type", None),
    _header("referrer-missing", "Referrer-Policy", None),
    _header("referrer-unsafe", "Referrer-Policy", "unsafe-url"),
    _page("https-missing", tls=None, set_headers={_HSTS: None}),
    _page("redirect-downgrade", moves={"/": (302, "http://127.0.0.1/")}),
    _page(
        "redirect-plain-hop",
        tls=None,
        set_headers={_HSTS: None},
        moves={"/": (302, "{own}/home"), "/home": (302, "https://127.0.0.1/home")},
    ),
    _page(
        "redirect-foreign-first",
        tls=None,
        set_headers={_HSTS: None},
        moves={"/": (301, "https://www.peer.example/")},
    ),
    _page("redirect-long", moves={"/": (302, "/1"), "/1": (302, "/2"), "/2": (302, "/3"), "/3": (302, "/4")}),
    _page("redirect-long", "redirect-circular", moves={"/": (302, "/1"), "/1": (302, "/")}),
    _markup("mixed-active", '<iframe src="http://plain.example/a"></iframe>'),
    _markup("mixed-passive", '<img src="http://plain.example/a.png" alt="">'),
    _markup("form-plain", '<form action="http://plain.example/sign-in"></form>'),
    _markup("sri-missing", '<script src="https://code.example/a.js"></script>'),
    _header("disclosure-version", "Server", "Apache/2.4.41 (Ubuntu)"),
    _page("security-txt-missing", contacts=None),
    _page("security-txt-expired", contacts=contact_file(days=-3)),
    _page("security-txt-malformed", contacts=contact_file().replace("Contact", "Contacts")),
    _canned("tls-ssl3", 0x0005, "tls-ssl3", 0x0300),
    _spoken("tls-1.0", _with_tls_1_0, _OLD),
    _spoken("tls-1.1", _with_tls_1_1, _OLD),
    _spoken("tls-1.3-missing", _without_tls_1_3, SOUND),
    _issued("tls-weak-cipher", Issue(), "tls-null-cipher", SOUND + ":ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"),
    _issued("tls-weak-cipher", Issue(), "tls-anonymous-cipher", SOUND + ":AECDH-AES128-SHA:@SECLEVEL=0"),
    _canned("tls-weak-cipher", 0x0005, "tls-rc4"),
    _canned("tls-weak-cipher", 0x0003, "tls-export"),
    _canned("tls-3des", 0x000A, "tls-3des"),
    _issued("tls-no-forward-secrecy", Issue(rsa_bits=2048), ciphers=SOUND + ":AES128-GCM-SHA256"),
    _issued("cert-expired", Issue(begins=-60 * DAY, ends=-1 * DAY)),
    _issued("cert-not-yet-valid", Issue(begins=2 * DAY)),
    _issued("cert-expiring", Issue(ends=5 * DAY)),
    _issued("cert-wrong-host", Issue(names=("other.example",))),
    _issued("cert-self-signed", Issue(signer="self")),
    _issued("cert-untrusted", Issue(signer="stranger")),
    _issued("cert-incomplete-chain", Issue(with_chain=False)),
    _issued("cert-short-key", Issue(rsa_bits=1024), ciphers=SOUND + ":@SECLEVEL=0"),
    _issued("cert-weak-signature", Issue(sha1=True), ciphers=SOUND + ":@SECLEVEL=0"),
)

CLEAN: tuple[Case, ...] = (
    Case("page", Site(), frozenset(), _secure),
    Case("rsa", Site(), frozenset(), lambda authority: authority.context(Issue(rsa_bits=2048))),
    Case("no-cookies", Site(cookies=()), frozenset(), _secure),
    Case("not-found", Site(status=404), frozenset(), _secure),
    Case(
        "nonce",
        Site().but(
            set_headers={_CSP: POLICY.replace("script-src 'self'", "script-src 'nonce-r4nd0m' 'unsafe-inline'")}
        ),
        frozenset(),
        _secure,
    ),
    Case(
        "integrity",
        Site(
            page=CLEAN_PAGE.replace(
                "</body>", '<script src="https://code.example/a.js" integrity="sha384-abc" crossorigin></script></body>'
            )
        ),
        frozenset(),
        _secure,
    ),
    Case(
        "json",
        Site(page="{}").but(
            set_headers={
                "Content-Type": "application/json",
                _CSP: None,
                "X-Frame-Options": None,
                "Referrer-Policy": None,
            }
        ),
        frozenset(),
        _secure,
    ),
    Case("public-cors", Site(grants=lambda _origin: {"Access-Control-Allow-Origin": "*"}), frozenset(), _secure),
    Case("moved-inside", Site(moves={"/": (302, "/home")}), frozenset(), _secure),
    Case(
        "moved-to-https",
        Site(moves={"/": (301, "https://127.0.0.1/")}).but(set_headers={_HSTS: None}),
        frozenset(),
        None,
    ),
)
