"""Locks of the database that a transaction holds until its end, each for one purpose and one thing."""

from enum import IntEnum

from sqlalchemy import text
from sqlalchemy.orm import Session


class Lock(IntEnum):
    """What a lock is for; two purposes never wait for each other."""

    ADMISSION = 7302
    QUOTA = 7303
    MEMBERSHIPS = 7304
    USAGE = 7305


_HOLD = text("SELECT pg_advisory_xact_lock(:purpose, hashtext(:what))")


def hold(session: Session, lock: Lock, what: object) -> None:
    """Wait for the lock of that thing, a tenant for instance, and hold it until the transaction ends."""
    session.execute(_HOLD, {"purpose": int(lock), "what": str(what)})
