"""Commits that carry the last statements of their transaction, in one round trip."""

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import Connection, TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

Last = tuple[TextClause, Mapping[str, object]]


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
        try:
            with self.pipeline():
                for statement, values in last:
                    self.execute(_spelled(statement), values)
                self.execute("COMMIT", prepare=False)
        except BaseException:
            with suppress(psycopg.Error):  # where the connection is gone, Postgres rolls back by itself
                self.rollback()
            raise

    def rollback(self) -> None:
        """Roll back, and forget `last`."""
        self.last = []
        super().rollback()


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
