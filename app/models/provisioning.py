"""Account tables of provisioning: the tokens of identity providers, and the people and groups that they send."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home
from app.models.tables import Identified, Table


class ScimToken(Identified, Table):
    """An identity provider's credential, hashed under the pepper of that mark; `hint` is its recognisable beginning."""

    __tablename__ = "scim_tokens"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    hint: Mapped[str]
    secret_hash: Mapped[bytes]
    pepper: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ProvisionedPerson(Identified, Table):
    """A person as an identity provider describes them; `base_role` is the role without a group that has one.

    `user_key` is the user name as it is compared; `email_keys` holds one line `type<tab>address` for each address.
    """

    __tablename__ = "provisioned_people"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    user_id: Mapped[UUID]
    user_name: Mapped[str]
    user_key: Mapped[str]
    external_id: Mapped[str | None]
    address: Mapped[str]
    display_name: Mapped[str | None]
    formatted: Mapped[str | None]
    given_name: Mapped[str | None]
    family_name: Mapped[str | None]
    emails: Mapped[list[Any]]
    email_keys: Mapped[str]
    active: Mapped[bool]
    base_role: Mapped[str]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class ProvisionedGroup(Identified, Table):
    """A group of an identity provider; `role` is what its members get, if anything."""

    __tablename__ = "provisioned_groups"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    display_name: Mapped[str]
    external_id: Mapped[str | None]
    role: Mapped[str | None]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class ProvisionedGroupMember(Identified, Table):
    """A provisioned person is in a provisioned group."""

    __tablename__ = "provisioned_group_members"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    group_id: Mapped[UUID]
    person_id: Mapped[UUID]
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())
