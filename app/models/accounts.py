"""Account tables: memberships, API keys, and the trail and outbox of that home."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home
from app.models.tables import AnswerColumns, AuditColumns, Identified, OutboxColumns, RemovalColumns, SealColumns, Table


class Membership(Identified, Table):
    """A person's role in one tenant; `beyond_plan` is read-only until a seat is free."""

    __tablename__ = "memberships"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    user_id: Mapped[UUID]
    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[datetime]
    beyond_plan: Mapped[bool] = mapped_column(default=False)


class ExtraPermission(Identified, Table):
    """A permission that a membership has beside its role's, to a last moment or for good."""

    __tablename__ = "extra_permissions"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    user_id: Mapped[UUID]
    permission: Mapped[str]
    until: Mapped[datetime | None]
    reason: Mapped[str]
    granted_by: Mapped[UUID]
    granted_label: Mapped[str]
    created_at: Mapped[datetime]


class Invitation(Identified, Table):
    """A role offered to an address; open while it has not ended."""

    __tablename__ = "invitations"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    email: Mapped[str]
    role: Mapped[str]
    inviter_id: Mapped[UUID]
    inviter_kind: Mapped[str]
    inviter_label: Mapped[str]
    mail_id: Mapped[UUID]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class OwnershipOffer(Identified, Table):
    """An owner's offer to make another member an owner; at most one of a tenant is open."""

    __tablename__ = "ownership_offers"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    giver_id: Mapped[UUID]
    giver_label: Mapped[str]
    taker_id: Mapped[UUID]
    taker_label: Mapped[str]
    steps_down: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class ServiceAccount(Identified, Table):
    """Whose keys outlive people: a name and the permissions that bound them."""

    __tablename__ = "service_accounts"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    name: Mapped[str]
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    maker_id: Mapped[UUID]
    maker_label: Mapped[str]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class ApiKey(Identified, Table):
    """A program's credential: what it may do, and until when. It belongs to its maker or to a service account.

    `beyond_plan`: it is more than the plan allows and reads only. `expiry_told`: how many days before its end people
    were told of it last, on the day `expiry_told_on` (UTC).
    """

    __tablename__ = "api_keys"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    maker_id: Mapped[UUID]
    maker_label: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    networks: Mapped[list[str]] = mapped_column(ARRAY(Text))
    service_account_id: Mapped[UUID | None]
    calls_per_minute: Mapped[int | None]
    workspace_id: Mapped[UUID]
    beyond_plan: Mapped[bool] = mapped_column(default=False)
    expiry_told: Mapped[int | None]
    expiry_told_on: Mapped[date | None]


class ApiKeySecret(Identified, Table):
    """A secret of a key, kept as a keyed hash; the one without `superseded_at` is the present one.

    `hint` is its recognisable beginning, `pepper` the mark of what keyed the hash. A former one works until `ends_at`.
    """

    __tablename__ = "api_key_secrets"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    key_id: Mapped[UUID]
    hint: Mapped[str]
    secret_hash: Mapped[bytes]
    pepper: Mapped[str]
    created_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]


class AccountAuditEvent(AuditColumns, Table):
    """A change in the account home."""

    __tablename__ = "audit_events"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT


class AccountAuditSeal(SealColumns, Table):
    """A seal of the account home's audit log."""

    __tablename__ = "audit_seals"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT


class AccountAuditRemoval(RemovalColumns, Table):
    """A removal of old events from the account home's audit log."""

    __tablename__ = "audit_removals"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT


class CheckpointRequest(Identified, Table):
    """An owner who wants the heads of both logs by mail; `heads` are those that were sent last, on that day (UTC)."""

    __tablename__ = "checkpoint_requests"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    user_id: Mapped[UUID]
    created_at: Mapped[datetime]
    sent_on: Mapped[date | None]
    heads: Mapped[str | None]


class AccountKeptAnswer(AnswerColumns, Table):
    """An answer about the account home, kept for a repeated request."""

    __tablename__ = "kept_answers"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT


class AccountEffect(OutboxColumns, Table):
    """An effect of a change in the account home."""

    __tablename__ = "outbox"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT
