"""One HTTP request and its redirects, each hop checked anew, with limits on time, size and what is passed on."""

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urljoin

import httpcore

from app.core.outbound.bodies import Body
from app.core.outbound.connections import connect_within, secure, trusting_context, unverified_context
from app.core.outbound.locations import Location, locate
from app.core.outbound.policies import Deadline, Kind, Policy, Refused, Unreachable
from app.core.outbound.streams import Stream

_MOST_HEADERS = 200
_MOST_HEADER_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# All that goes along to another origin; whatever else a caller sets may be a credential.
_HARMLESS = frozenset({"accept", "accept-language", "origin"})

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Hop:
    """An answer that led elsewhere. `headers` as received, in order, duplicates kept."""

    url: str
    status: int
    headers: Headers
    address: str


@dataclass(frozen=True)
class Response:
    """An answer. Text is decoded as ISO 8859-1, so that every byte of a header survives.

    `body` is decoded from gzip or deflate and at most `max_bytes` long; `cut` says why it is not whole (size, time,
    broken, encoding). `address` is the one that was connected to; `elapsed` is in seconds, with all hops.
    """

    url: str
    status: int
    headers: Headers
    body: bytes
    history: tuple[Hop, ...]
    elapsed: float
    address: str
    cut: str | None = None

    @property
    def truncated(self) -> bool:
        """Whether `body` is only a part."""
        return self.cut is not None

    def values(self, name: str) -> list[str]:
        """Return every value of the header `name`, in order."""
        return values_of(self.headers, name)


@dataclass(frozen=True)
class _Request:
    method: str
    location: Location
    headers: Headers
    body: bytes | None


def fetch(
    method: str,
    url: str,
    policy: Policy,
    *,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    body: bytes | None = None,
    verify: bool | ssl.SSLContext = True,
    follow: bool = True,
) -> Response:
    """Return the answer to one request, after its redirects where `follow`.

    Keeps no cookies. Passes no header of the caller's but harmless ones to another origin, and no body at all. Raises
    Refused, or Unreachable; both carry the hops made so far.
    """
    began = time.monotonic()
    given = tuple(headers.items() if isinstance(headers, Mapping) else headers or ())
    deadline = Deadline(policy.total_seconds)
    history: list[Hop] = []
    try:
        request = _Request(method.upper(), locate(url), given, body)
        while True:
            answer = _exchange(request, policy, verify, deadline, follow)
            if not follow or not _leads_on(answer):
                return replace(answer, history=tuple(history), elapsed=time.monotonic() - began)
            history.append(Hop(answer.url, answer.status, answer.headers, answer.address))
            if len(history) > policy.max_redirects:
                raise Unreachable(Kind.REDIRECTS, f"More than {policy.max_redirects} redirects")
            request = _next(request, answer)
    except (Refused, Unreachable) as failure:
        failure.history = tuple(history)
        raise


def values_of(headers: Headers, name: str) -> list[str]:
    """Return every value of the header `name`, in order."""
    return [value for key, value in headers if key.lower() == name.lower()]


def _leads_on(answer: Response) -> bool:
    return answer.status in _REDIRECTS and bool(values_of(answer.headers, "location"))


def _next(request: _Request, answer: Response) -> _Request:
    raw = values_of(answer.headers, "location")[0].encode("latin-1")
    try:
        place = raw.decode()
    except UnicodeDecodeError:
        place = raw.decode("latin-1")
    try:
        joined = urljoin(request.location.url, place)
    except ValueError:
        raise Refused("The redirect leads to no readable address") from None
    location = locate(joined)
    drops = answer.status == 303 or (answer.status in {301, 302} and request.method == "POST")
    method = "GET" if drops and request.method != "HEAD" else request.method
    body = None if drops else request.body
    headers = request.headers
    if location.origin != request.location.origin:
        if body is not None:
            raise Refused("The redirect would carry the request's body to another place")
        headers = tuple(pair for pair in headers if pair[0].lower() in _HARMLESS)
    elif drops:
        headers = tuple(pair for pair in headers if not pair[0].lower().startswith("content-"))
    return _Request(method, location, headers, body)


def _exchange(
    request: _Request, policy: Policy, verify: bool | ssl.SSLContext, deadline: Deadline, follow: bool
) -> Response:
    location = request.location
    connection, address = connect_within(location.host, location.port, policy, deadline)
    if location.scheme == "https":
        connection = secure(connection, location.host, policy, _context(verify), deadline)
    stream = Stream(connection, policy, deadline)
    url = httpcore.URL(
        scheme=location.scheme, host=location.host, port=location.port, target=location.target.encode("ascii")
    )
    try:
        with httpcore.HTTP11Connection(httpcore.Origin(*_origin(location)), stream) as exchange:
            sent = httpcore.Request(request.method, url, headers=_sent(request, policy), content=request.body)
            received = exchange.handle_request(sent)
            headers = _received(received.headers)
            answer = Response(location.url, received.status, headers, b"", (), 0.0, address)
            if follow and _leads_on(answer):
                return answer
            content, cut = _read(received, headers, policy, deadline)
            return Response(location.url, received.status, headers, content, (), 0.0, address, cut)
    except httpcore.LocalProtocolError:
        raise Refused("The request's method or headers are not valid") from None
    except (httpcore.ProtocolError, httpcore.NetworkError):
        raise Unreachable(Kind.PROTOCOL, f"{location.host} did not answer in proper HTTP") from None
    except httpcore.TimeoutException:
        raise Unreachable(Kind.TIMEOUT, f"{location.host} did not answer in time") from None
    finally:
        stream.close()


def _context(verify: bool | ssl.SSLContext) -> ssl.SSLContext:
    if isinstance(verify, ssl.SSLContext):
        return verify
    return trusting_context() if verify else unverified_context()


def _origin(location: Location) -> tuple[bytes, bytes, int]:
    return location.scheme.encode("ascii"), location.host.encode("ascii"), location.port


def _sent(request: _Request, policy: Policy) -> list[tuple[bytes, bytes]]:
    own = {"host": request.location.authority, "connection": "close"}
    defaults = {"user-agent": policy.user_agent, "accept": "*/*", "accept-encoding": "gzip, deflate"}
    if request.body is not None or request.method in {"POST", "PUT", "PATCH"}:
        own["content-length"] = str(len(request.body or b""))
    given = [(name, value) for name, value in request.headers if name.lower() not in {*own, "transfer-encoding"}]
    named = {name.lower() for name, _ in given}
    pairs = [*own.items(), *((name, value) for name, value in defaults.items() if name not in named), *given]
    try:
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in pairs]
    except UnicodeEncodeError:
        raise Refused("The request's method or headers are not valid") from None


def _received(raw: list[tuple[bytes, bytes]]) -> Headers:
    if len(raw) > _MOST_HEADERS or sum(len(name) + len(value) for name, value in raw) > _MOST_HEADER_BYTES:
        raise Unreachable(Kind.TOO_LARGE, "The answer's headers are too many or too long")
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)


def _read(
    received: httpcore.Response, headers: Headers, policy: Policy, deadline: Deadline
) -> tuple[bytes, str | None]:
    encoding = ",".join(values_of(headers, "content-encoding")).strip().lower()
    body = Body(encoding, policy.max_bytes)
    try:
        for data in received.iter_stream():
            deadline.left(policy.read_seconds)
            if not body.take(data):
                break
    except (Unreachable, httpcore.TimeoutException):
        body.cut = "time"
    except (httpcore.ProtocolError, httpcore.NetworkError):
        body.cut = "broken"
    return body.finish(), body.cut
