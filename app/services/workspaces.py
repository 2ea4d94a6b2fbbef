"""Workspaces: made, named, archived and restored; and where a new row of the content goes."""

from uuid import UUID

from sqlalchemy import Select, func, select

from app.core.errors import BeyondPlan, Conflict, Invalid, NotFound
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.workspaces import Workspace
from app.services import audit, excess, quotas
from app.services.access import require
from app.services.pages import Page, newest_first
from app.services.plans import Quota

DEFAULT_NAME = "Default"
LONGEST_NAME = 80
MOST_CHOICES = 200


def add_default(unit: Unit) -> None:
    """Give a new tenant its default workspace, which has the tenant's own id: part of making a tenant."""
    unit.session.add(
        Workspace(id=unit.tenant_id, name=DEFAULT_NAME, created_at=unit.now(), created_by=unit.actor.label)
    )


def is_default(workspace: Workspace) -> bool:
    """Tell whether this is the workspace that each tenant has."""
    return workspace.id == workspace.tenant_id


def _within_reach(unit: Unit) -> Select[Workspace]:
    """Return the workspaces that the actor may know of: all, but for a key of another than the default one."""
    kept_to = unit.actor.workspace_id
    known = select(Workspace)
    return known if kept_to in (None, unit.tenant_id) else known.where(Workspace.id == kept_to)


def list_workspaces(
    unit: Unit, *, archived: bool = False, cursor: str | None = None, size: int = 50, counted: bool = False
) -> Page[Workspace]:
    """Return the workspaces in use, or those `archived`, newest first. Needs tenant:workspaces:read."""
    require(unit, Permission.WORKSPACES_READ)
    there = Workspace.archived_at.is_not(None) if archived else Workspace.archived_at.is_(None)
    statement = _within_reach(unit).where(there)
    binding = f"workspaces:{archived}"
    return newest_first(
        unit, statement, Workspace.created_at, Workspace.id, binding=binding, cursor=cursor, size=size, counted=counted
    )


def choices(unit: Unit) -> list[Workspace]:
    """Return at most 200 workspaces in use, the default one first, then by name; asks for no permission."""
    rows = unit.at_home(Home.ACCOUNT).session.scalars(
        _within_reach(unit)
        .where(Workspace.archived_at.is_(None))
        .order_by((Workspace.id == unit.tenant_id).desc(), Workspace.name)
        .limit(MOST_CHOICES)
    )
    return list(rows)


def names(unit: Unit) -> dict[UUID, str]:
    """Return the names of all workspaces within reach, archived ones too; asks for no permission."""
    rows = unit.at_home(Home.ACCOUNT).session.scalars(_within_reach(unit).limit(MOST_CHOICES * 5))
    return {row.id: row.name for row in rows}


def get_workspace(unit: Unit, workspace_id: UUID) -> Workspace:
    """Return the workspace. Needs tenant:workspaces:read. Raises NotFound."""
    require(unit, Permission.WORKSPACES_READ)
    found = unit.session.scalar(_within_reach(unit).where(Workspace.id == workspace_id))
    if found is None:
        raise NotFound()
    return found


def create_workspace(unit: Unit, *, name: str) -> Workspace:
    """Add a workspace. Needs tenant:workspaces:write. Raises Invalid, QuotaExceeded."""
    require(unit, Permission.WORKSPACES_WRITE)
    made = Workspace(name=_checked(unit, name, None), created_at=unit.now(), created_by=unit.actor.label)
    quotas.require_room(unit, Quota.WORKSPACES)
    unit.session.add(made)
    unit.session.flush()
    audit.record(unit, "workspace.create", "workspace", made.id, after={"name": made.name})
    return made


def rename_workspace(unit: Unit, workspace_id: UUID, *, name: str) -> Workspace:
    """Give the workspace another name. Needs tenant:workspaces:write.

    Raises Invalid, NotFound, Conflict, BeyondPlan.
    """
    require(unit, Permission.WORKSPACES_WRITE)
    workspace = get_workspace(unit, workspace_id)
    refuse_read_only(workspace)
    wanted = _checked(unit, name, workspace_id)
    if wanted != workspace.name:
        before, workspace.name = {"name": workspace.name}, wanted
        audit.record(unit, "workspace.rename", "workspace", workspace.id, before=before, after={"name": wanted})
    return workspace


def archive_workspace(unit: Unit, workspace_id: UUID) -> Workspace:
    """Make the workspace read-only and refuse its keys from the next request on; a second time changes nothing.

    What runs comes to its end; of those beyond the plan the oldest comes in. Needs tenant:workspaces:write. Raises
    NotFound, and Conflict for the default workspace.
    """
    require(unit, Permission.WORKSPACES_WRITE)
    workspace = get_workspace(unit, workspace_id)
    if is_default(workspace):
        raise Conflict("The default workspace stays: what names no workspace goes there.")
    if workspace.archived_at is None:
        workspace.archived_at = unit.now()
        audit.record(unit, "workspace.archive", "workspace", workspace.id, before={"name": workspace.name})
        excess.settle(unit, Quota.WORKSPACES)
    return workspace


def restore_workspace(unit: Unit, workspace_id: UUID) -> Workspace:
    """Bring an archived workspace back, its keys too. Needs tenant:workspaces:write. Raises NotFound, QuotaExceeded."""
    require(unit, Permission.WORKSPACES_WRITE)
    workspace = get_workspace(unit, workspace_id)
    if workspace.archived_at is not None:
        quotas.require_room(unit, Quota.WORKSPACES)
        workspace.archived_at = None
        audit.record(unit, "workspace.restore", "workspace", workspace.id, after={"name": workspace.name})
    return workspace


def _checked(unit: Unit, name: str, own_id: UUID | None) -> str:
    """Return the name as it is kept. Raises Invalid."""
    wanted = name.strip()
    problem = None
    if not wanted:
        problem = "must not be empty"
    elif len(wanted) > LONGEST_NAME or not wanted.isprintable():
        problem = f"at most {LONGEST_NAME} characters, on one line"
    else:
        same = select(Workspace.id).where(func.lower(Workspace.name) == wanted.lower())
        if set(unit.session.scalars(same)) - {own_id}:
            problem = "another workspace has this name"
    if problem:
        raise Invalid("The workspace was not saved.", fields={"name": problem})
    return wanted


def refuse_read_only(workspace: Workspace) -> None:
    """Return if what is in the workspace can be changed. Raises Conflict, BeyondPlan."""
    if workspace.archived_at is not None:
        raise Conflict(f"The workspace {workspace.name} is archived: nothing in it can be changed.")
    if workspace.beyond_plan:
        raise BeyondPlan(
            f"The workspace {workspace.name} is beyond the tenant's plan: it can be read, not changed.",
            extra={"quota": str(Quota.WORKSPACES)},
        )


def require_writable(unit: Unit, workspace_id: UUID) -> None:
    """Return if rows of the workspace may be changed; each verb on the content asks it. Raises Conflict, BeyondPlan."""
    workspace = unit.at_home(Home.ACCOUNT).session.get(Workspace, (unit.tenant_id, workspace_id))
    if workspace is None:
        raise NotFound()
    refuse_read_only(workspace)


def place_for(unit: Unit, wanted: UUID | None) -> UUID:
    """Return the workspace of a new row: the one wanted, or the actor's own, or the default one.

    Content may live in another database than workspaces do, so that this look takes the place of a foreign key.
    Raises Invalid for one that is not there, also for a key that belongs to another; Conflict for an archived one.
    """
    own = unit.actor.workspace_id
    chosen = wanted or own or unit.tenant_id
    if own is not None and chosen != own:
        raise _no_such_workspace()
    try:
        require_writable(unit, chosen)
    except NotFound:
        raise _no_such_workspace() from None
    return chosen


def _no_such_workspace() -> Invalid:
    return Invalid("It was not added.", fields={"workspace_id": "no such workspace"})
