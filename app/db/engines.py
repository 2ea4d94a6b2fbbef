"""Engines: one pool per login and database, whose BEGIN carries the tenant and the time limits.

The transaction's first message is `BEGIN; SET LOCAL ...`: no round trip of its own, and nothing stays on the
connection after the commit, so that it is safe behind a transaction pooler.
"""

import re
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from app.db.commits import CarryingConnection
from app.db.urls import sqlalchemy_url
from app.tenancy.placements import Isolation, Placement

SCHEMA = re.compile(r"shared|t_[0-9a-f]{32}")
DEFAULT_SCHEMA = "shared"
STATEMENT_MS = 5_000
IDLE_MS = 15_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What a transaction is bound to: one tenant (None: nobody) and one schema of content.

    The commit of a `relaxed` one does not wait for the disk: what it wrote is lost if Postgres itself is killed within
    a second, and by nothing else.
    """

    tenant_id: UUID | None
    schema: str = DEFAULT_SCHEMA
    relaxed: bool = False


NOBODY = Scope(None)
RELAXED = Scope(None, relaxed=True)


def begin_statement(scope: Scope) -> str:
    """Return the message that opens a transaction in `scope`. Only a UUID and a checked schema name enter it."""
    if not SCHEMA.fullmatch(scope.schema):
        raise ValueError("no such schema of content")
    tenant = "" if scope.tenant_id is None else str(UUID(int=scope.tenant_id.int))
    relaxed = "; SET LOCAL synchronous_commit = off" if scope.relaxed else ""
    return (
        f"BEGIN; SET LOCAL app.current_tenant = '{tenant}'; SET LOCAL statement_timeout = {STATEMENT_MS}; "
        f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS}; SET LOCAL search_path = {scope.schema}, public"
        f"{relaxed}"
    )


def make_engine(url: str, *, pool_size: int = 8, application: str = "sentinel", pooled: bool = False) -> Engine:
    """Return an engine whose transactions begin in the scope of their connection's execution options.

    `pooled`: a transaction pooler stands before Postgres. Statements are then not prepared on the server, since the
    next one may reach another server connection.
    """
    prepare_after = None if pooled else 5
    engine = create_engine(
        sqlalchemy_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=5,
        pool_pre_ping=False,
        hide_parameters=True,  # an error's text, and so the log, shows no value
        connect_args={"connect_timeout": 5, "application_name": application, "prepare_threshold": prepare_after},
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, given: list[Any], named: dict[str, Any]) -> CarryingConnection:
        return CarryingConnection.connect(*given, **named)

    @event.listens_for(engine, "connect")
    def _own_begin(dbapi_connection: object, _record: object) -> None:
        dbapi_connection.autocommit = True  # type: ignore[attr-defined]

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        message = begin_statement(connection.get_execution_options().get("scope", NOBODY))
        try:
            _driver(connection).execute(message.encode())
        except psycopg.OperationalError as error:
            # Postgres was started again since: no pooled connection survived, and nothing has been done on this one.
            engine.dispose()
            connection.invalidate(error)
            _begin_anew(connection, message)

    return engine


def _driver(connection: Connection) -> psycopg.Connection:
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is gone")
    return cast(psycopg.Connection, driver)


def _begin_anew(connection: Connection, message: str) -> None:
    try:
        _driver(connection).execute(message.encode())
    except psycopg.OperationalError as error:
        raise OperationalError(message, None, error, connection_invalidated=True) from error


class Engines:
    """The router: from a placement to the engine that serves it."""

    def __init__(self, control: Engine) -> None:
        self.control = control

    def of(self, placement: Placement) -> Engine:
        """Return the engine of `placement`. Raises LookupError for a level that this process does not serve."""
        if placement.level is Isolation.DATABASE:
            raise LookupError("databases of their own are not served yet")
        return self.control

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.control.dispose()
