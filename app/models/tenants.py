"""Control tables: tenants, where each lives, and its wrapped data keys."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home, Itself, OfTenant
from app.models.tables import Table


class Tenant(Itself, Table):
    """A customer organisation.

    `status_reason` is of the present status; `suspended_reason` outlasts a deletion, whose end brings it back.
    `trial_reminded`: for how many days before the trial's end owners were last told.
    """

    __tablename__ = "tenants"
    __table_args__ = {"schema": "control"}
    home = Home.ACCOUNT

    slug: Mapped[str]
    name: Mapped[str]
    plan: Mapped[str]
    status: Mapped[str]
    trial_ends_at: Mapped[datetime | None]
    trial_reminded: Mapped[int | None]
    status_reason: Mapped[str | None]
    suspended_at: Mapped[datetime | None]
    suspended_reason: Mapped[str | None]
    deleted_at: Mapped[datetime | None]
    purge_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class TenantPlacement(OfTenant, Table):
    """Where a tenant's content lives; `epoch` rises with each move."""

    __tablename__ = "placements"
    __table_args__ = {"schema": "control"}
    home = Home.ACCOUNT

    level: Mapped[str]
    schema_name: Mapped[str]
    database_name: Mapped[str | None]
    epoch: Mapped[int] = mapped_column(BigInteger, default=1)


class TenantPolicy(OfTenant, Table):
    """What a tenant asks of its people and of its keys; without a row it asks nothing."""

    __tablename__ = "policies"
    __table_args__ = {"schema": "control"}
    home = Home.ACCOUNT

    mfa_required: Mapped[bool] = mapped_column(default=False)
    sso_required: Mapped[bool] = mapped_column(default=False)
    key_most_days: Mapped[int | None]
    key_expiry_required: Mapped[bool] = mapped_column(default=False)


class TenantKey(OfTenant, Table):
    """A tenant's data key, wrapped by the master key."""

    __tablename__ = "tenant_keys"
    __table_args__ = {"schema": "control"}
    home = Home.ACCOUNT

    version: Mapped[int] = mapped_column(primary_key=True)
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime]
