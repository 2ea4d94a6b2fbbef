"""Account tables of exports: each time that everything of a tenant was taken out."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home
from app.models.tables import Identified, Table


class Export(Identified, Table):
    """One archive: running, complete or broken off; at most one of a tenant runs.

    `seen_at` is when the process that writes it last said that it is at work. `statement` is what the worker signed of
    the manifest's hash; `rows` and `bytes` are of the files before they were packed.
    """

    __tablename__ = "exports"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    state: Mapped[str]
    asked_by: Mapped[UUID]
    asked_label: Mapped[str]
    asked_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    manifest_hash: Mapped[bytes | None]
    statement: Mapped[str | None]
    signature: Mapped[bytes | None]
    files: Mapped[int | None]
    rows: Mapped[int | None] = mapped_column(BigInteger)
    bytes: Mapped[int | None] = mapped_column(BigInteger)
