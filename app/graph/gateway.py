"""The one opener of a session of the graph's driver: each statement is a constant, inside the tenant of the context."""

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import neo4j
from neo4j.exceptions import AuthError, ConstraintError, DriverError, Neo4jError, TransientError

from app.core.errors import Unavailable
from app.graph.queries import SCHEMA, Mode, NamedQuery
from app.tenancy.context import require_tenant

DOWN = "The graph is not available at present."
SLOW = "The graph did not answer in time."
REFUSED = "The graph refused what it was asked."

_CONNECT_SECONDS = 1.0
_REST_SECONDS = 3.0  # after a failure nobody asks the graph for so long
_QUICK_SECONDS = 0.3
_WRITE_TRIES = 6
_KEY_MOST = 500
_TIMED_OUT = "Neo.ClientError.Transaction.TransactionTimedOut"
# ArcadeDB's word for two writers that make a tenant's label at once; our constants have no other cause for it.
_LABEL_RACE = "Neo.ClientError.Statement.SemanticError"

_log = logging.getLogger(__name__)


def label_of(tenant_id: UUID) -> str:
    """Return the label of a tenant's nodes: by id, so that no two tenants' names can fold into one."""
    return f"Tenant_{tenant_id.hex}"


class Circuit:
    """Remembers that the graph was down and tells the next callers at once; after a rest one of them tries again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: float | None = None

    def enter(self) -> None:
        """Let the caller try. Raises Unavailable during the rest after a failure."""
        with self._lock:
            if self._until is None:
                return
            now = self._clock()
            if now < self._until:
                raise Unavailable(DOWN)
            self._until = now + _REST_SECONDS  # the others go on failing fast while this one tries

    def failed(self) -> None:
        with self._lock:
            self._until = self._clock() + _REST_SECONDS

    def succeeded(self) -> None:
        with self._lock:
            self._until = None


class _Link:
    """A driver of this process, made at first use, also after a fork; `seconds` bounds each wait for an answer."""

    def __init__(self, make: Callable[[], neo4j.Driver], seconds: float) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._driver: neo4j.Driver | None = None
        self._pid = 0
        self.seconds = seconds

    def driver(self) -> neo4j.Driver:
        with self._lock:
            if self._driver is None or self._pid != os.getpid():  # an inherited one is the parent's: never closed here
                self._driver, self._pid = self._bounded(self._make()), os.getpid()
            return self._driver

    def close(self) -> None:
        with self._lock:
            if self._driver is not None and self._pid == os.getpid():
                self._driver.close()
            self._driver = None

    def _bounded(self, driver: neo4j.Driver) -> neo4j.Driver:
        """Give each connection a limit on reading: the driver offers none, and a stopped server would hold us."""
        pool: Any = driver._pool
        opener = pool.opener

        def open_bounded(*given: Any, **named: Any) -> Any:
            connection = opener(*given, **named)
            connection.socket.set_read_timeout(self.seconds)
            return connection

        pool.opener = open_bounded
        return driver


class Graph:
    """The graph as the tenant of the context sees it.

    Reads answer or fail within 2 s, and fail at once for some seconds after the graph was found down; writes and
    sweeps, which only the worker asks for, have longer. What goes wrong is `Unavailable` in words of our own.
    """

    def __init__(self, make: Callable[[], neo4j.Driver], database: str | None = None) -> None:
        self._hasty = _Link(make, 1.5)
        self._patient = _Link(make, 20.0)
        self._database = database
        self._circuit = Circuit()
        self._preparing = threading.Lock()
        self._prepared = False

    def read(self, query: NamedQuery, **parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of `query`. Raises PermissionError without a tenant, Unavailable when the graph fails."""
        if query.mode is Mode.WRITE:
            raise ValueError(f"{query.name} writes")
        prepared = _scoped(query, parameters)
        link = self._patient if query.mode is Mode.SWEEP else self._hasty
        return self._run(link, query.text, prepared, query.name, most=query.most, access=neo4j.READ_ACCESS)

    def write(self, query: NamedQuery, **parameters: Any) -> list[dict[str, Any]]:
        """Run `query` in a transaction of its own, perhaps more than once, and return its rows. Raises like `read`.

        Prepares the graph first, once a process and again after it was down: another one may have come back.
        """
        if query.mode is not Mode.WRITE:
            raise ValueError(f"{query.name} does not write")
        prepared = _scoped(query, parameters)
        if not self._prepared:
            self.prepare()
        return self._run(self._patient, query.text, prepared, query.name, most=query.most, access=neo4j.WRITE_ACCESS)

    def prepare(self) -> None:
        """Make the unique keys, one per node type. Needs no tenant; may run any number of times. Raises Unavailable."""
        with self._preparing:
            for text in SCHEMA:
                self._run(self._patient, text, {}, "schema", most=0, access=neo4j.WRITE_ACCESS)
            self._prepared = True

    def ping(self) -> None:
        """Raises Unavailable, within 2 s, where the graph does not answer. Needs no tenant."""
        self._run(self._hasty, "RETURN 1 AS one", {}, "ping", most=1, access=neo4j.READ_ACCESS)

    def close(self) -> None:
        """Close what this process opened; a later call opens anew."""
        self._hasty.close()
        self._patient.close()

    def _run(
        self, link: _Link, text: str, parameters: Mapping[str, Any], name: str, *, most: int, access: str
    ) -> list[dict[str, Any]]:
        self._circuit.enter()
        begun = time.monotonic()
        tries = 2 if access == neo4j.READ_ACCESS else _WRITE_TRIES
        for left in reversed(range(tries)):
            try:
                rows = self._once(link, text, parameters, most, access)
            except (AuthError, DriverError, OSError) as error:
                # A pooled connection may have died with an earlier server: ask once more, if that failed quickly.
                if left == tries - 1 and time.monotonic() - begun < _QUICK_SECONDS:
                    continue
                self._circuit.failed()
                self._prepared = False
                _log.warning("graph unreachable: %s: %s", name, type(error).__name__)
                raise Unavailable(DOWN) from None
            except Neo4jError as error:
                self._circuit.succeeded()  # it answers
                if not left or not _passing(error):
                    raise _told(error, name) from None
                time.sleep(random.uniform(0.01, 0.05))  # noqa: S311  spreads writers that met on one node
            else:
                self._circuit.succeeded()
                return rows
        raise AssertionError("unreachable: the last try returns or raises")

    def _once(
        self, link: _Link, text: str, parameters: Mapping[str, Any], most: int, access: str
    ) -> list[dict[str, Any]]:
        with (
            link.driver().session(database=self._database, default_access_mode=access, fetch_size=most + 1) as session,
            session.begin_transaction(timeout=link.seconds) as transaction,
        ):
            rows = [
                dict(zip(record.keys(), record.values(), strict=True))
                for record in transaction.run(text, dict(parameters)).fetch(most + 1)
            ]
            if len(rows) > most:
                raise Unavailable("The graph's answer is larger than it should be.")
            _demand_plain(rows)
            transaction.commit()
            return rows


def _told(error: Neo4jError, name: str) -> Unavailable:
    # Never the driver's text: it names other tenants' nodes and values.
    _log.warning("graph refused: %s: %s", name, error.code)
    return Unavailable(SLOW if error.code == _TIMED_OUT else REFUSED)


def _passing(error: Neo4jError) -> bool:
    """Whether a statement may well succeed when tried again: another writer was at the same node."""
    return isinstance(error, TransientError | ConstraintError) or error.code == _LABEL_RACE or error.is_retryable()


def _demand_plain(value: Any) -> None:
    """Raises TypeError for nodes, relationships and paths: they carry the tenant's label and key."""
    if isinstance(value, list):
        for item in value:
            _demand_plain(item)
    elif isinstance(value, dict):
        _demand_plain(list(value.values()))
    elif not isinstance(value, str | int | float | bool | None):
        raise TypeError(f"a query may not return {type(value).__name__}")


def _scoped(query: NamedQuery, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the driver is given: the caller's parameters, with the tenant in every key, and the tenant."""
    tenant_id = require_tenant()
    if parameters.keys() != query.parameters:
        raise ValueError(f"{query.name} takes {sorted(query.parameters)}, not {sorted(parameters)}")
    prefix = f"{tenant_id.hex}|"
    scoped = _with_keys(parameters, prefix)
    if "rows" in scoped:
        scoped["rows"] = [_with_keys(row, prefix) for row in scoped["rows"]]
    return {**scoped, "t": label_of(tenant_id), "prefix": prefix}


def _with_keys(fields: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name: _key(prefix, value) if name == "key" or name.endswith("_key") else value for name, value in fields.items()
    }


def _key(prefix: str, natural: Any) -> str:
    if not isinstance(natural, str) or not 0 < len(natural) <= _KEY_MOST:
        raise ValueError(f"a natural key is text of 1 to {_KEY_MOST} characters")
    return prefix + natural


def open_graph(uri: str | None, user: str, password: str, database: str | None = None) -> Graph | None:
    """Return the graph at `uri`, or None where none is configured; nothing is connected before the first use."""
    if uri is None:
        return None

    def make() -> neo4j.Driver:
        return neo4j.GraphDatabase.driver(
            uri,
            auth=(user, password) if password else None,
            connection_timeout=_CONNECT_SECONDS,
            connection_acquisition_timeout=_CONNECT_SECONDS,
            liveness_check_timeout=2.0,
            max_connection_lifetime=300.0,
            max_connection_pool_size=20,
            notifications_min_severity="OFF",  # "unknown label" would tell that no tenant has it
            user_agent="sentinel",
        )

    return Graph(make, database)
