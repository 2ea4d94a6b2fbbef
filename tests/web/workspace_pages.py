"""The pages of workspaces with sample values, for the gallery."""

from collections.abc import Callable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import RadioField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired
from wtforms.widgets import CheckboxInput, ListWidget

from tests.web import samples as s
from tests.web.contexts import invalid
from tests.web.samples import Row

ROUTES = {
    "workspaces.index": "/workspaces",
    "workspaces.new": "/workspaces/new",
    "workspaces.create": "/workspaces/",
    "workspaces.show": "/workspaces/<workspace_id>",
    "workspaces.rename": "/workspaces/<workspace_id>/",
    "workspaces.archival": "/workspaces/<workspace_id>/archive",
    "workspaces.archive": "/workspaces/<workspace_id>/archive/",
    "workspaces.restore": "/workspaces/<workspace_id>/restoration",
    "workspace_settings.defaults": "/workspaces/defaults",
    "workspace_settings.change_defaults": "/workspaces/defaults/",
    "workspace_settings.show": "/workspaces/<workspace_id>/settings",
    "workspace_settings.change": "/workspaces/<workspace_id>/settings/",
}


SOURCES = [SelectChoice("inherit", ""), SelectChoice("own", "")]


class WorkspaceForm(FlaskForm):
    name = StringField("Name", [DataRequired("Must not be empty")])


class SettingsForm(FlaskForm):
    threshold_from = RadioField("Block texts from this risk on", choices=SOURCES, default="own")
    threshold = StringField("Block texts from this risk on", [DataRequired("From 0.05 to 1")])
    kinds_from = RadioField("Kinds that the guard lets pass", choices=SOURCES, default="inherit")
    kinds = SelectMultipleField(
        "Kinds that the guard lets pass",
        choices=[SelectChoice(each, each) for each in ("email", "ip-address", "phone")],
        widget=ListWidget(),
        option_widget=CheckboxInput(),
    )


def _row(number: int, **more: Any) -> Row:
    values = {
        "id": s.uid(700 + number),
        "name": ("Default", "Staging", "Checkout, next year")[number],
        "is_default": number == 0,
        "keys": (3, 1, 0)[number],
        "created_at": s.before(days=90 - 20 * number),
        "created_by": s.PERSON.email,
        "archived_at": None,
        "beyond_plan": False,
    }
    return Row(**{**values, **more})


def _index(rows: list[Row], *, archived: bool = False) -> dict[str, Any]:
    plain = {"rows": rows, "count": len(rows), "newest": None, "older": None, "filtered": archived}
    return {**plain, "filters": {"archived": "1" if archived else None}, "archived": archived}


def _show(row: Row, form: FlaskForm, *, full: bool = True) -> dict[str, Any]:
    settings = [
        Row(title="Block texts from this risk on", value="0.5", source="set for this workspace", own=True),
        Row(title="Kinds that the guard lets pass", value="none", source="platform default", own=False),
    ]
    engagements = [Row(name="Unplanned scans", scans=41, created_at=s.before(days=30))]
    return {
        "workspace": row,
        "form": form,
        "settings": settings,
        "keys": s.KEYS if full else [],
        "engagements": engagements if full else [],
        "chart": s.CHARTS[0][0] if full else None,
        "days": 30,
    }


def _settings(row: Row | None, form: SettingsForm) -> dict[str, Any]:
    rows = [
        Row(
            title=form.threshold.label.text,
            help="The guard blocks a text whose risk, 0 to 1, reaches this. Lower is stricter.",
            source=form.threshold_from,
            field=form.threshold,
            several=False,
            inherited="0.7 (platform default)",
            bounds="0.05 to 1",
        ),
        Row(
            title=form.kinds.label.text,
            help="Neither reported, nor counted as a risk, nor taken out of the redacted text.",
            source=form.kinds_from,
            field=form.kinds,
            several=True,
            inherited="none (platform default)",
            bounds="",
        ),
    ]
    return {"workspace": row, "form": form, "rows": rows}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "workspaces": ("workspaces/index.html", lambda: _index([_row(2), _row(1), _row(0)])),
    "workspaces-one": ("workspaces/index.html", lambda: _index([_row(0)])),
    "workspaces-archived": (
        "workspaces/index.html",
        lambda: _index([_row(2, archived_at=s.before(days=2))], archived=True),
    ),
    "workspaces-none-archived": ("workspaces/index.html", lambda: _index([], archived=True)),
    "workspace-new": ("workspaces/new.html", lambda: {"form": WorkspaceForm(formdata=None)}),
    "workspace-new-invalid": ("workspaces/new.html", lambda: {"form": invalid(WorkspaceForm)}),
    "workspace": ("workspaces/show.html", lambda: _show(_row(1), WorkspaceForm(formdata=None, name="Staging"))),
    "workspace-empty": (
        "workspaces/show.html",
        lambda: _show(_row(1), WorkspaceForm(formdata=None, name="Staging"), full=False),
    ),
    "workspace-default": ("workspaces/show.html", lambda: _show(_row(0), invalid(WorkspaceForm))),
    "workspace-archived": (
        "workspaces/show.html",
        lambda: _show(_row(2, archived_at=s.before(days=2)), WorkspaceForm(formdata=None)),
    ),
    "workspace-beyond": (
        "workspaces/show.html",
        lambda: _show(_row(2, beyond_plan=True), WorkspaceForm(formdata=None)),
    ),
    "workspace-archive": (
        "workspaces/archive.html",
        lambda: {"workspace": _row(1), "form": WorkspaceForm(formdata=None)},
    ),
    "workspace-settings": ("workspaces/settings.html", lambda: _settings(_row(1), SettingsForm(formdata=None))),
    "workspace-settings-invalid": ("workspaces/settings.html", lambda: _settings(None, invalid(SettingsForm))),
}
