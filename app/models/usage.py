"""Content tables of what was used: one row per API call."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home, InWorkspace
from app.models.tables import Identified, Table


class ApiCall(InWorkspace, Identified, Table):
    """One authenticated call of the JSON API, in its key's workspace if a key made it.

    `microseconds` is the time it took.
    """

    __tablename__ = "api_calls"
    home = Home.CONTENT

    workspace_id: Mapped[UUID | None] = mapped_column(sort_order=-5)  # type: ignore[assignment]
    at: Mapped[datetime]
    key_id: Mapped[UUID | None]
    key_name: Mapped[str]
    method: Mapped[str]
    endpoint: Mapped[str]
    status: Mapped[int]
    microseconds: Mapped[int] = mapped_column(BigInteger)
    request_id: Mapped[str]
    verdict: Mapped[str | None]
