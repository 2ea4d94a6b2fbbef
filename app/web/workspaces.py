"""Workspaces: listed, made, looked at, renamed, archived and restored."""

from types import SimpleNamespace
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Conflict, Invalid, QuotaExceeded
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.accounts import ApiKey
from app.models.workspaces import Workspace
from app.services import api_keys, configurations, engagements, usage, workspaces
from app.services.access import may
from app.services.key_rules import state_of
from app.serving.forms import Form
from app.web.charts import Bar, Chart, Series
from app.web.listings import ROWS, listing
from app.web.repeats import RepeatForm
from app.web.routing import tenant_blueprint, tenant_page
from app.web.workspace_settings import setting_rows

blueprint = tenant_blueprint("workspaces", __name__)
DAYS = 30


class WorkspaceForm(Form):
    """What a workspace is called."""

    name = StringField("Name")


class NameForm(RepeatForm):
    """The name typed once more."""

    name = StringField("Name of the workspace")


@tenant_page(blueprint, "/workspaces", Permission.WORKSPACES_READ, home=Home.ACCOUNT)
def index(unit: Unit) -> str:
    archived = request.args.get("archived") == "1"
    page = workspaces.list_workspaces(
        unit, archived=archived, cursor=request.args.get("after"), size=ROWS, counted=True
    )
    keys = api_keys.count_by_workspace(unit, [row.id for row in page.rows]) if may(unit, Permission.KEYS_READ) else None
    rows = [_shown(row, None if keys is None else keys.get(row.id, 0)) for row in page.rows]
    return render_template("workspaces/index.html", **listing(rows, page, ("archived",)), archived=archived)


def _shown(row: Workspace, keys: int | None = None) -> SimpleNamespace:
    names = ("id", "name", "created_at", "created_by", "archived_at", "beyond_plan")
    columns = {name: getattr(row, name) for name in names}
    return SimpleNamespace(**columns, is_default=workspaces.is_default(row), keys=keys)


@tenant_page(blueprint, "/workspaces/new", Permission.WORKSPACES_WRITE, home=Home.ACCOUNT)
def new(_unit: Unit) -> str:
    return render_template("workspaces/new.html", form=WorkspaceForm())


@tenant_page(blueprint, "/workspaces", Permission.WORKSPACES_WRITE, home=Home.ACCOUNT, methods=("POST",))
def create(unit: Unit) -> Response | tuple[str, int]:
    """Make the workspace and show it."""
    form = WorkspaceForm()
    try:
        made = workspaces.create_workspace(unit, name=form.name.data or "")
    except (Invalid, QuotaExceeded) as error:
        form.blame(error)
        return render_template("workspaces/new.html", form=form), error.status
    flash(f"{made.name} was made. Its keys and assets are kept apart from those of other workspaces.", "good")
    return redirect(url_for("workspaces.show", workspace_id=made.id), 303)


@tenant_page(blueprint, "/workspaces/<uuid:workspace_id>", Permission.WORKSPACES_READ, home=Home.ACCOUNT)
def show(unit: Unit, workspace_id: UUID) -> str:
    row = workspaces.get_workspace(unit, workspace_id)
    return _page(unit, row, WorkspaceForm(name=row.name))


@tenant_page(
    blueprint, "/workspaces/<uuid:workspace_id>", Permission.WORKSPACES_WRITE, home=Home.ACCOUNT, methods=("POST",)
)
def rename(unit: Unit, workspace_id: UUID) -> Response | tuple[str, int]:
    """Give the workspace another name."""
    form = WorkspaceForm()
    row = workspaces.get_workspace(unit, workspace_id)
    try:
        workspaces.rename_workspace(unit, workspace_id, name=form.name.data or "")
    except (Invalid, Conflict) as error:
        form.blame(error)
        return _page(unit, row, form), error.status
    flash(f"The workspace is now called {row.name}.", "good")
    return redirect(url_for("workspaces.show", workspace_id=workspace_id), 303)


def _page(unit: Unit, row: Workspace, form: WorkspaceForm) -> str:
    content = unit.at_home(Home.CONTENT)
    work = engagements.engagements_of(content, row.id) if may(unit, Permission.SCANS_READ) else None
    keys = api_keys.list_keys(unit, workspace_id=row.id, size=20) if may(unit, Permission.KEYS_READ) else None
    return render_template(
        "workspaces/show.html",
        workspace=_shown(row),
        form=form,
        settings=setting_rows(configurations.show_configuration(unit, row.id)),
        keys=None if keys is None else [_key(unit, key) for key in keys.rows],
        engagements=None
        if work is None
        else [SimpleNamespace(name=e.name, created_at=e.created_at, scans=n) for e, n in work],
        chart=_chart(content, row.id) if may(unit, Permission.USAGE_READ) else None,
        days=DAYS,
    )


def _key(unit: Unit, key: ApiKey) -> SimpleNamespace:
    state = state_of(key.revoked_at, key.expires_at, unit.now())
    return SimpleNamespace(id=key.id, name=key.name, scopes=key.scopes, created_at=key.created_at, state=state)


def _chart(unit: Unit, workspace_id: UUID) -> Chart:
    series = usage.of_workspace(unit, workspace_id, days=DAYS)
    days = zip(series["calls"].days, series["scans"].days, strict=True)
    bars = tuple(Bar(day, (calls, scans)) for (day, calls), (_day, scans) in days)
    return Chart(
        "calls", "Calls and scans per day", "calls and scans", (Series("Calls"), Series("Scans", "good")), bars
    )


@tenant_page(blueprint, "/workspaces/<uuid:workspace_id>/archive", Permission.WORKSPACES_WRITE, home=Home.ACCOUNT)
def archival(unit: Unit, workspace_id: UUID) -> str:
    return _confirm(unit, workspace_id, NameForm())


@tenant_page(
    blueprint,
    "/workspaces/<uuid:workspace_id>/archive",
    Permission.WORKSPACES_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
)
def archive(unit: Unit, workspace_id: UUID) -> Response | tuple[str, int]:
    """Archive the workspace whose name was typed; the way back is a button of its page."""
    form = NameForm()
    row = workspaces.get_workspace(unit, workspace_id)
    try:
        if not form.repeats(row.name, "archive it"):
            return _confirm(unit, workspace_id, form), 422
        workspaces.archive_workspace(unit, workspace_id)
    except (Invalid, Conflict) as error:
        form.blame(error)
        return _confirm(unit, workspace_id, form), error.status
    flash(f"{row.name} was archived: it can be read, its keys are refused. Restore it to undo this.", "good")
    return redirect(url_for("workspaces.show", workspace_id=workspace_id), 303)


def _confirm(unit: Unit, workspace_id: UUID, form: NameForm) -> str:
    row = workspaces.get_workspace(unit, workspace_id)
    keys = api_keys.count_by_workspace(unit, [row.id]).get(row.id, 0) if may(unit, Permission.KEYS_READ) else None
    return render_template("workspaces/archive.html", workspace=_shown(row, keys), form=form)


@tenant_page(
    blueprint,
    "/workspaces/<uuid:workspace_id>/restoration",
    Permission.WORKSPACES_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
)
def restore(unit: Unit, workspace_id: UUID) -> Response:
    """Bring the workspace back."""
    row = workspaces.restore_workspace(unit, workspace_id)
    flash(f"{row.name} is in use again, and so are its keys.", "good")
    return redirect(url_for("workspaces.show", workspace_id=workspace_id), 303)
