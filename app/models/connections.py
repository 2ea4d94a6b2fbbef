"""Account tables of single sign-on: a tenant's connection to its provider, and its e-mail domains."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home
from app.models.tables import Identified, Table


class Connection(Identified, Table):
    """How a tenant's people sign in through its own OpenID provider; one a tenant.

    `secret`, `next_secret` (one that is being tried) and `test` (what the last test sign-in told) are sealed with the
    tenant's data key. `role_map` is a list of [value, role], the first that fits counts; without a `default_role`
    whoever fits none is refused.
    """

    __tablename__ = "connections"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    issuer: Mapped[str]
    client_id: Mapped[str]
    secret: Mapped[bytes]
    next_secret: Mapped[bytes | None]
    role_claim: Mapped[str] = mapped_column(default="")
    role_map: Mapped[list[Any]] = mapped_column(default=list)
    default_role: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="draft")
    test: Mapped[bytes | None]
    tested_at: Mapped[datetime | None]
    tested_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class EmailDomain(Identified, Table):
    """A domain of the tenant's addresses, and what the last look for its DNS record saw.

    A proven one's record is looked for again at `look_at`; `missing_since` is the first of the looks that found it
    gone, `warned_at` when people were told, `lapsed_at` when it was proven no longer.
    """

    __tablename__ = "email_domains"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    domain: Mapped[str]
    token: Mapped[str]
    created_at: Mapped[datetime]
    requested_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    look_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]
    warned_at: Mapped[datetime | None]
    lapsed_at: Mapped[datetime | None]
    attempts: Mapped[list[Any]] = mapped_column(default=list)
