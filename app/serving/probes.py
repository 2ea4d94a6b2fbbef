"""Whether the servers that the platform itself is configured with answer, and how fast."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.core.errors import AppError
from app.core.settings import Settings
from app.graph.gateway import Graph

PORTS = {"smtp": 25, "smtps": 465, "redis": 6379, "rediss": 6379, "valkey": 6379, "valkeys": 6379}
OK, DOWN, UNSET = "ok", "down", "not configured"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that we lean on: ok, down or not configured; how long it took to answer, in seconds."""

    name: str
    state: str
    seconds: float | None


def temporal_answers(address: str) -> bool:
    """Tell whether something listens at `host:port` within half a second."""
    host, _, port = address.rpartition(":")
    return port.isdigit() and _listens(host, int(port))


def graph_answers(graph: Graph) -> bool:
    """Tell whether the graph answers a query."""
    try:
        graph.ping()
    except AppError:
        return False
    return True


def probe_servers(given: Settings, graph: Graph | None) -> list[Server]:
    """Ask Temporal, the graph, the mail server and the rate limits' store, all at once; at most for a few seconds."""
    storage, smtp = given.rate_limit_storage_url, given.smtp_url
    asked: dict[str, Callable[[], bool] | None] = {
        "temporal": lambda: temporal_answers(given.temporal_address),
        "graph": None if graph is None else lambda: graph_answers(graph),
        "mail server": None if smtp is None else lambda: _url_answers(smtp.get_secret_value()),
        "rate limits’ store": None if storage is None else lambda: _url_answers(storage.get_secret_value()),
    }
    with ThreadPoolExecutor(len(asked), thread_name_prefix="probe") as pool:
        return list(pool.map(_probe, asked, asked.values()))


def _probe(name: str, ask: Callable[[], bool] | None) -> Server:
    if ask is None:
        return Server(name, UNSET, None)
    began = time.perf_counter()
    return Server(name, OK if ask() else DOWN, time.perf_counter() - began)


def _url_answers(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or PORTS.get(parts.scheme)
    return parts.hostname is not None and port is not None and _listens(parts.hostname, port)


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False
