"""Content tables of what is scanned: assets, proofs of control, pasted documents."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home, InWorkspace
from app.models.tables import Identified, Table


class Asset(InWorkspace, Identified, Table):
    """What is scanned: a web address (one scheme, host and port) or a document; its code is the tenant's own."""

    __tablename__ = "assets"
    home = Home.CONTENT

    name: Mapped[str]
    code: Mapped[str]
    kind: Mapped[str]
    url: Mapped[str | None]
    host: Mapped[str | None]
    port: Mapped[int | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    archived_at: Mapped[datetime | None]


class OwnershipProof(Identified, Table):
    """Whether the tenant has shown that it controls `endpoint` (host:port), and what the last checks saw."""

    __tablename__ = "ownership_proofs"
    home = Home.CONTENT

    asset_id: Mapped[UUID]
    endpoint: Mapped[str]
    token: Mapped[str]
    created_at: Mapped[datetime]
    proven_at: Mapped[datetime | None]
    proven_by: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    requested_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    attempts: Mapped[list[Any]] = mapped_column(default=list)


class Document(Identified, Table):
    """A pasted text, sealed with the tenant's data key."""

    __tablename__ = "documents"
    home = Home.CONTENT

    asset_id: Mapped[UUID]
    sealed: Mapped[bytes]
    characters: Mapped[int]
    created_at: Mapped[datetime]
