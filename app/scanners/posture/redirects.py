"""Where an address leads: what a chain of redirects says about HTTPS, and where we stop following it."""

from collections.abc import Iterator, Sequence
from urllib.parse import urljoin, urlsplit

from app.scanners.posture.answers import Answer, origin_of
from app.scanners.posture.evidence import found, without_query
from app.scanners.probes import Fault

MOST_HOPS = 5
_LONG = 3


def next_address(answer: Answer) -> str | None:
    """Return the absolute address that a redirect leads to, or None where it names none that can be read."""
    location = answer.first("location")
    if not answer.redirects or not location or len(location) > 4096:
        return None
    try:
        joined = urljoin(answer.url, _as_text(location).strip())
        urlsplit(joined)
    except ValueError:
        return None
    return joined.split("#", 1)[0]


def _as_text(header: str) -> str:
    """Return a header's bytes (kept as ISO 8859-1) as UTF-8 where they are that."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def judge_redirects(chain: Sequence[Answer], *, circular: bool) -> Iterator[Fault]:
    """Yield what is wrong with the answers in order; the last may be a page, or a redirect that was not followed."""
    first, last = chain[0], chain[-1]
    targets = [target for answer in chain if (target := next_address(answer))]
    shown = " → ".join(without_query(address) for address in [first.url, *targets])
    place = urlsplit(first.url).netloc
    if circular or len(targets) > _LONG:
        yield found("redirect-long", place, ("Circular: " if circular else f"{len(targets)} redirects: ") + shown)
    if not targets:
        if not first.secure:
            yield found("https-missing", place, f"{without_query(first.url)} answered {first.status} over plain HTTP")
        return
    if first.secure:
        plain = next((target for target in targets if target.lower().startswith("http://")), None)
        if plain:
            yield found("redirect-downgrade", place, shown)
        return
    yield from _from_plain(first, last, targets, place, shown, circular)


def _from_plain(
    first: Answer, last: Answer, targets: Sequence[str], place: str, shown: str, circular: bool
) -> Iterator[Fault]:
    secured = [target.lower().startswith("https://") for target in targets]
    if not any(secured):
        ended = next_address(last) is None or circular
        same = all(_host(target) == _host(first.url) for target in targets)
        if ended or same:
            yield found("https-missing", place, f"No HTTPS on the way: {shown}")
    elif not secured[0]:
        yield found("redirect-plain-hop", place, shown)
    if _host(targets[0]) != _host(first.url):
        yield found("redirect-foreign-first", place, shown)


def leaves(origin: str, target: str) -> bool:
    """Whether a redirect leads to another host, port or scheme than the one that was proved."""
    return origin_of(target) != origin


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""
