"""What every table shares: the mapping's root, its home, the tenant's key, and the trail beside what it records."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, FetchedValue, Integer, MetaData, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.core.ids import new_id
from app.db.units import Home, OfTenant


class Table(DeclarativeBase):
    """The root of all tables; `home` says where they live."""

    metadata = MetaData()
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        str: Text(),
        UUID: Uuid(),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
    }
    home: ClassVar[Home]


class Identified(OfTenant):
    """A tenant's row with an id of its own (UUIDv7)."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-10)


class AuditColumns(Identified):
    """Who did what to which thing, from where; before and after hold no secrets.

    `transaction` is the database's number of the transaction that wrote the row: in its order no row arrives late.
    """

    __mapper_args__: ClassVar[dict[str, Any]] = {"eager_defaults": False}

    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    actor_label: Mapped[str]
    action: Mapped[str]
    target_kind: Mapped[str]
    target_id: Mapped[UUID | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    address: Mapped[str | None]
    agent: Mapped[str | None]
    request_id: Mapped[str | None]
    transaction: Mapped[int] = mapped_column(BigInteger, server_default=FetchedValue())


class SealColumns(Identified):
    """What was sealed: the place of the last event, the signed statement and its hash."""

    number: Mapped[int] = mapped_column(BigInteger)
    last_transaction: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[UUID]
    body: Mapped[str]
    hash: Mapped[bytes]
    signature: Mapped[bytes]
    sealed_at: Mapped[datetime]


class RemovalColumns(Identified):
    """That the events under the seals up to a number were removed: the signed statement."""

    up_to: Mapped[int] = mapped_column(BigInteger)
    body: Mapped[str]
    signature: Mapped[bytes]
    removed_at: Mapped[datetime]


class AnswerColumns(Identified):
    """What was answered to a request that carried an Idempotency-Key; key and body are kept as keyed hashes."""

    credential_id: Mapped[UUID]
    key_hash: Mapped[bytes]
    body_hash: Mapped[bytes]
    route: Mapped[str]
    status: Mapped[int]
    location: Mapped[str | None]
    body: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class OutboxColumns(Identified):
    """An effect to be had after the commit that asked for it."""

    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    done_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
