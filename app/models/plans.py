"""Plans of tenants: overrides (control), requests and warnings (account), counters and reservations (content)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home, InWorkspace, OfTenant
from app.models.tables import Identified, Table


class PlanOverride(Identified, Table):
    """A figure that was agreed on with the tenant in place of its plan's; `value` None is unlimited."""

    __tablename__ = "plan_overrides"
    __table_args__ = {"schema": "control"}
    home = Home.ACCOUNT

    kind: Mapped[str]
    name: Mapped[str]
    value: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str]
    until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class PlanRequest(Identified, Table):
    """Another plan, asked for by the tenant; staff decide on it."""

    __tablename__ = "plan_requests"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    plan: Mapped[str]
    plan_before: Mapped[str]
    status: Mapped[str]
    note: Mapped[str]
    asked_by: Mapped[UUID | None]
    asked_label: Mapped[str]
    asked_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    answer: Mapped[str | None]


class QuotaWarning(OfTenant, Table):
    """That the owners were told of a quota's level (80 or 100 per cent) in a period, which happens once."""

    __tablename__ = "quota_warnings"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    quota: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[date] = mapped_column(primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class QuotaCounter(OfTenant, Table):
    """What was used of a monthly quota; `period` is the first day of the month in UTC by the database's clock."""

    __tablename__ = "quota_counters"
    home = Home.CONTENT

    quota: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[date] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)


class QuotaReservation(OfTenant, Table):
    """One of a monthly quota, taken when a scan was accepted: reserved, then settled (it counts) or released."""

    __tablename__ = "quota_reservations"
    home = Home.CONTENT

    scan_id: Mapped[UUID] = mapped_column(primary_key=True)
    quota: Mapped[str]
    period: Mapped[date]
    state: Mapped[str]
    at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class CallSumColumns(InWorkspace, OfTenant):
    """API calls to one endpoint by one key or one person's token; the nil id is no key, no workspace."""

    key_id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)
    texts: Mapped[int] = mapped_column(BigInteger)


class UsageMinute(CallSumColumns, Table):
    """The calls of one minute."""

    __tablename__ = "usage_minutes"
    home = Home.CONTENT

    minute: Mapped[datetime] = mapped_column(primary_key=True, sort_order=-10)


class UsageDay(CallSumColumns, Table):
    """The calls of one UTC day that is over; its minutes are gone."""

    __tablename__ = "usage_days"
    home = Home.CONTENT

    day: Mapped[date] = mapped_column(primary_key=True, sort_order=-10)


class UsageFlush(Identified, Table):
    """That a batch of counted calls was written, so that writing it again changes nothing."""

    __tablename__ = "usage_flushes"
    home = Home.CONTENT

    at: Mapped[datetime]
