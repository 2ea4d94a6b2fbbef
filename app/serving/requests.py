"""A request's id, origin and log line; and the hosts that are served."""

import ipaddress
import re
import time
from collections.abc import Sequence

import structlog
from flask import Flask, Response, g, request

from app.core.errors import MalformedRequest, Misdirected, NotFound
from app.core.ids import new_id
from app.core.settings import Settings
from app.services.accounts import Origin

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
QUIET = frozenset({"/health", "/ready", "/metrics"})
log = structlog.get_logger("sentinel.request")


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks that `text` lists, separated by commas. Raises ValueError."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def client_address(peer: str | None, forwarded: str | None, trusted: Sequence[Network]) -> str | None:
    """Return the client's address: the last forwarded one that no trusted proxy stands behind, else the peer's."""
    chain = [part.strip() for part in (forwarded or "").split(",") if part.strip()]
    address = peer
    while address is not None and chain and _within(address, trusted):
        candidate = chain.pop()
        try:
            ipaddress.ip_address(candidate)
        except ValueError:
            break
        address = candidate
    return address


def _within(address: str, trusted: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)


def origin() -> Origin:
    """Return where the present request comes from."""
    agent = request.headers.get("User-Agent")
    return Origin(g.client_address, agent[:300] if agent else None, g.request_id)


def _refuse_nul() -> None:
    """Refuse NUL, which Postgres keeps in no text: nothing has such an address, and no browser sends such a form."""
    if "\0" in request.path:
        raise NotFound()
    form = request.form.items(multi=True) if request.mimetype in FORMS else ()
    given = [*request.args.items(multi=True), *form]
    if any("\0" in part for pair in given for part in pair):
        raise MalformedRequest("A NUL character is accepted nowhere.")


def register_requests(app: Flask, settings: Settings) -> None:
    """Give each request its id, address and log line, and refuse hosts that are not ours."""
    trusted = networks(settings.trusted_proxies)
    hosts = {settings.host, settings.host.split(":")[0]} if settings.sentinel_env == "production" else {settings.host}

    @app.before_request
    def _begin() -> None:
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if REQUEST_ID.fullmatch(given) and trusted else new_id().hex
        g.client_address = client_address(request.remote_addr, request.headers.get("X-Forwarded-For"), trusted)
        if request.host not in hosts and request.path not in QUIET:
            raise Misdirected("This host is not served here.")
        _refuse_nul()

    @app.after_request
    def _end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        if request.path not in QUIET and not request.path.startswith("/static/"):
            log.info(
                "request",
                method=request.method,
                route=request.url_rule.rule if request.url_rule else None,
                status=response.status_code,
                milliseconds=round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000, 2),
                request_id=g.get("request_id"),
                tenant=str(g.tenant_id) if g.get("tenant_id") else None,
            )
        return response
