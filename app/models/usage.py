"""Content tables of what was used: one row per API call."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home
from app.models.tables import Identified, Table


class ApiCall(Identified, Table):
    """One authenticated call of the JSON API; `microseconds` is the time it took."""

    __tablename__ = "api_calls"
    home = Home.CONTENT

    at: Mapped[datetime]
    key_id: Mapped[UUID | None]
    key_name: Mapped[str]
    method: Mapped[str]
    endpoint: Mapped[str]
    status: Mapped[int]
    microseconds: Mapped[int] = mapped_column(BigInteger)
    request_id: Mapped[str]
    verdict: Mapped[str | None]
