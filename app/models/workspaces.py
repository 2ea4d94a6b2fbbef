"""Account tables of workspaces: what they are called, and settings that differ from what they would inherit."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home
from app.models.tables import Identified, Table


class Workspace(Identified, Table):
    """A project or environment of a tenant; the default one has the tenant's own id.

    Archived, or beyond the plan, it is read-only.
    """

    __tablename__ = "workspaces"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    name: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    archived_at: Mapped[datetime | None]
    beyond_plan: Mapped[bool] = mapped_column(default=False)


class ConfigOverride(Identified, Table):
    """A setting's value as a workspace has it, or without a workspace the whole tenant; written as text."""

    __tablename__ = "config_overrides"
    __table_args__ = {"schema": "account"}
    home = Home.ACCOUNT

    workspace_id: Mapped[UUID | None] = mapped_column()
    name: Mapped[str]
    value: Mapped[str]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
