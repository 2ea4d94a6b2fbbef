"""Commits that carry the last statements of their transaction, in one round trip."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

import psycopg
from psycopg.errors import NotNullViolation
from sqlalchemy import Connection, TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg


class Last(NamedTuple):
    """A statement that goes with the commit; `refuse` returns what to raise where it would leave a column empty."""

    statement: TextClause
    values: Mapping[str, object]
    refuse: Callable[[], Exception] | None = None


class Refused(Exception):
    """The commit was rolled back: `last` would have left a column empty, which is its way to refuse."""

    def __init__(self, last: Last) -> None:
        super().__init__("a statement of the commit refused it")
        self.last = last


class CarryingConnection(psycopg.Connection[Any]):
    """A connection whose next commit sends `last` before it, without waiting for their answers.

    Where one of them fails, Postgres skips what follows it, the COMMIT among it; the commit rolls back, as any commit
    that fails, and raises what Postgres said.
    """

    last: list[Last]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.last = []

    def commit(self) -> None:
        """Commit, with `last`."""
        last, self.last = self.last, []
        if not last:
            super().commit()
            return
        sent: list[psycopg.Cursor[Any]] = []
        try:
            with self.pipeline():
                for each in last:
                    sent.append(self.cursor())
                    sent[-1].execute(_spelled(each.statement), each.values)
                self.execute("COMMIT", prepare=False)
        except BaseException as error:
            with suppress(psycopg.Error):  # where the connection is gone, Postgres rolls back by itself
                self.rollback()
            if isinstance(error, NotNullViolation) and (failed := _unanswered(last, sent)).refuse is not None:
                raise Refused(failed) from error
            raise

    def rollback(self) -> None:
        """Roll back, and forget `last`."""
        self.last = []
        super().rollback()


def _unanswered(last: list[Last], sent: list[psycopg.Cursor[Any]]) -> Last:
    """Return the statement that failed: the first without a result."""
    return next(each for each, cursor in zip(last, sent, strict=False) if cursor.pgresult is None)


@lru_cache(maxsize=100)
def _spelled(statement: TextClause) -> bytes:
    """Return the statement as the driver takes it."""
    return str(statement.compile(dialect=PGDialect_psycopg())).encode()  # type: ignore[no-untyped-call]


def carry(connection: Connection, last: list[Last]) -> None:
    """Have the connection's next commit send `last` before it."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, CarryingConnection):
        raise TypeError("no connection of ours")
    driver.last = last
