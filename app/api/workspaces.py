"""Workspaces for programs: list, make, show, change, archive."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from flask import url_for
from pydantic import Field

from app.api.routing import Answer, noun_blueprint, resource
from app.api.shapes import Asked, Listing, Moment, Paging, Told
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.workspaces import Workspace
from app.services import configurations, workspaces

blueprint = noun_blueprint("workspaces", __name__)
Value = float | list[str] | None
READ, WRITE = Permission.WORKSPACES_READ, Permission.WORKSPACES_WRITE


class WorkspaceQuery(Paging):
    """Which workspaces, newest first: those in use, or those archived."""

    archived: bool = False


class WorkspaceRequest(Asked):
    """A new workspace, and settings of its own."""

    name: str = Field(max_length=200, examples=["Staging"])
    settings: dict[str, Value] = Field(default_factory=dict, examples=[{"guard.block_at": 0.5}])


class WorkspaceChange(Asked):
    """What is to be changed of a workspace; what is left out stays. A setting that is null inherits again."""

    name: str | None = Field(None, max_length=200)
    archived: bool | None = Field(None, description="Archived: read-only, and its keys are refused")
    settings: dict[str, Value] | None = None


class SettingView(Told):
    """A setting's value in force, and where it comes from."""

    name: str
    value: float | list[str]
    source: Literal["platform", "tenant", "workspace"]


class WorkspaceView(Told):
    """A project or environment of the tenant; what names no workspace belongs to the default one."""

    id: UUID
    name: str
    default: bool
    created_at: Moment
    created_by: str
    archived_at: Moment | None
    beyond_plan: bool = Field(description="the plan has no room for it: it can be read, not changed")


class WorkspaceDetail(WorkspaceView):
    """A workspace with its settings."""

    settings: list[SettingView]


class WorkspacePage(Listing[WorkspaceView]):
    """A page of workspaces."""


def _view(row: Workspace) -> WorkspaceView:
    return WorkspaceView(
        id=row.id,
        name=row.name,
        default=workspaces.is_default(row),
        created_at=row.created_at,
        created_by=row.created_by,
        archived_at=row.archived_at,
        beyond_plan=row.beyond_plan,
    )


def _setting_views(known: Mapping[str, configurations.Configured]) -> list[SettingView]:
    """Return settings as programs see them."""
    return [
        SettingView(
            name=name, value=list(each.value) if isinstance(each.value, tuple) else each.value, source=each.source.value
        )
        for name, each in known.items()
    ]


def _written(settings: Mapping[str, Value]) -> dict[str, str | None]:
    """Return settings as the service takes them."""
    return {
        name: None if value is None else ",".join(value) if isinstance(value, list) else f"{value:g}"
        for name, value in settings.items()
    }


@resource(
    blueprint,
    "GET",
    "/workspaces",
    READ,
    query=WorkspaceQuery,
    answer=WorkspacePage,
    home=Home.ACCOUNT,
    aliases=("/workspaces",),
)
def index(unit: Unit, query: WorkspaceQuery) -> WorkspacePage:
    """List workspaces, newest first; a key of another than the default one sees its own alone."""
    page = workspaces.list_workspaces(unit, archived=query.archived, cursor=query.cursor, size=query.limit)
    return WorkspacePage(items=[_view(row) for row in page.rows], next_cursor=page.next_cursor)


@resource(
    blueprint,
    "POST",
    "/workspaces",
    WRITE,
    READ,
    body=WorkspaceRequest,
    answer=WorkspaceDetail,
    status=201,
    home=Home.ACCOUNT,
    aliases=("/workspaces",),
)
def create(unit: Unit, body: WorkspaceRequest) -> Answer:
    """Make a workspace."""
    made = workspaces.create_workspace(unit, name=body.name)
    configurations.change_configuration(unit, made.id, _written(body.settings))
    return Answer(show(unit, made.id), {"Location": url_for("api_workspaces.show", workspace_id=made.id)})


@resource(
    blueprint,
    "GET",
    "/workspaces/<workspace_id>",
    READ,
    answer=WorkspaceDetail,
    tagged=True,
    home=Home.ACCOUNT,
    aliases=("/workspaces/<workspace_id>",),
)
def show(unit: Unit, workspace_id: UUID) -> WorkspaceDetail:
    """Show a workspace, and where each of its settings comes from."""
    view = _view(workspaces.get_workspace(unit, workspace_id))
    settings = _setting_views(configurations.show_configuration(unit, workspace_id))
    return WorkspaceDetail(**view.model_dump(), settings=settings)


@resource(
    blueprint,
    "PATCH",
    "/workspaces/<workspace_id>",
    WRITE,
    READ,
    body=WorkspaceChange,
    answer=WorkspaceDetail,
    tagged=True,
    home=Home.ACCOUNT,
    current=show,
    held=Workspace,
    aliases=("/workspaces/<workspace_id>",),
)
def change(unit: Unit, workspace_id: UUID, body: WorkspaceChange) -> WorkspaceDetail:
    """Rename a workspace, archive or restore it, change its settings."""
    if body.archived is False:
        workspaces.restore_workspace(unit, workspace_id)
    if body.name is not None:
        workspaces.rename_workspace(unit, workspace_id, name=body.name)
    if body.settings is not None:
        configurations.change_configuration(unit, workspace_id, _written(body.settings))
    if body.archived:
        workspaces.archive_workspace(unit, workspace_id)
    return show(unit, workspace_id)


@resource(
    blueprint,
    "DELETE",
    "/workspaces/<workspace_id>",
    WRITE,
    READ,
    answer=WorkspaceDetail,
    tagged=True,
    home=Home.ACCOUNT,
    current=show,
    held=Workspace,
    aliases=("/workspaces/<workspace_id>",),
)
def archive(unit: Unit, workspace_id: UUID) -> WorkspaceDetail:
    """Archive a workspace: nothing in it is deleted, and it can be restored."""
    workspaces.archive_workspace(unit, workspace_id)
    return show(unit, workspace_id)
