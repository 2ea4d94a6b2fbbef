"""The settings of a workspace, and what all workspaces of the tenant inherit."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import RadioField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.widgets import CheckboxInput, ListWidget

from app.core.errors import Conflict, Invalid
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import configurations, workspaces
from app.services.configurations import SETTINGS, Configured, Setting, Source, Value
from app.serving.forms import Form
from app.web.presentation import tool
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("workspace_settings", __name__)
FROM = {
    Source.PLATFORM: "platform default",
    Source.TENANT: "set for all workspaces",
    Source.WORKSPACE: "set for this workspace",
}
INHERIT, OWN = "inherit", "own"
SOURCES = [SelectChoice(INHERIT, ""), SelectChoice(OWN, "")]


def field_name(setting: str) -> str:
    """Return the name of a setting's field: names of fields hold no full stop."""
    return setting.replace(".", "-")


def _label(setting: Setting, choice: str) -> str:
    return tool(choice) if setting.name == "scans.tools" else choice


def told(setting: Setting, value: Value) -> str:
    """Return a value as people read it."""
    if isinstance(value, tuple):
        return ", ".join(_label(setting, each) for each in value) or "none"
    return f"{value:g}"


def setting_rows(known: Mapping[str, Configured]) -> list[SimpleNamespace]:
    """Return settings as a table shows them."""
    return [
        SimpleNamespace(
            name=name,
            title=each.setting.title,
            value=told(each.setting, each.value),
            source=FROM[each.source],
            own=each.source in (Source.WORKSPACE, Source.TENANT),
        )
        for name, each in known.items()
    ]


def _form_class() -> type[Form]:
    fields: dict[str, Any] = {"__doc__": "Each setting: inherited, or a value of one's own."}
    for setting in SETTINGS.values():
        name = field_name(setting.name)
        fields[f"{name}-from"] = RadioField(setting.title, choices=SOURCES, default=INHERIT)
        fields[name] = (
            SelectMultipleField(
                setting.title,
                choices=[SelectChoice(each, _label(setting, each)) for each in setting.choices],
                widget=ListWidget(),
                option_widget=CheckboxInput(),
            )
            if setting.choices
            else StringField(setting.title)
        )
    return type("SettingsForm", (Form,), fields)


SettingsForm = _form_class()


def _filled(known: Mapping[str, Configured], own: Source) -> Form:
    given: dict[str, Any] = {}
    for name, each in known.items():
        value = each.value
        given[f"{field_name(name)}-from"] = OWN if each.source is own else INHERIT
        given[field_name(name)] = list(value) if isinstance(value, tuple) else told(each.setting, value)
    return SettingsForm(formdata=None, data=given)


def _asked(form: Form) -> dict[str, str | None]:
    """Return what the form asks for: the written value, or None to inherit."""
    asked: dict[str, str | None] = {}
    for name in SETTINGS:
        data = form[field_name(name)].data
        own = form[f"{field_name(name)}-from"].data == OWN
        asked[name] = (",".join(data) if isinstance(data, list) else (data or "").strip()) if own else None
    return asked


@tenant_page(blueprint, "/workspaces/defaults", Permission.SETTINGS_READ, home=Home.ACCOUNT)
def defaults(unit: Unit) -> str:
    return _page(unit, None, None)


@tenant_page(blueprint, "/workspaces/defaults", Permission.SETTINGS_WRITE, home=Home.ACCOUNT, methods=("POST",))
def change_defaults(unit: Unit) -> Response | tuple[str, int]:
    """Set what all workspaces inherit."""
    return _change(unit, None)


@tenant_page(blueprint, "/workspaces/<uuid:workspace_id>/settings", Permission.WORKSPACES_READ, home=Home.ACCOUNT)
def show(unit: Unit, workspace_id: UUID) -> str:
    return _page(unit, workspace_id, None)


@tenant_page(
    blueprint,
    "/workspaces/<uuid:workspace_id>/settings",
    Permission.WORKSPACES_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
)
def change(unit: Unit, workspace_id: UUID) -> Response | tuple[str, int]:
    """Set what this workspace has of its own."""
    return _change(unit, workspace_id)


def _change(unit: Unit, workspace_id: UUID | None) -> Response | tuple[str, int]:
    form = SettingsForm(request.form)
    try:
        configurations.change_configuration(unit, workspace_id, _asked(form))
    except (Invalid, Conflict) as error:
        form.blame(Invalid(error.detail, fields={field_name(name): what for name, what in error.fields.items()}))
        return _page(unit, workspace_id, form), error.status
    flash("The settings hold from now on.", "good")
    if workspace_id is None:
        return redirect(url_for("workspace_settings.defaults"), 303)
    return redirect(url_for("workspaces.show", workspace_id=workspace_id), 303)


def _page(unit: Unit, workspace_id: UUID | None, form: Form | None) -> str:
    known = configurations.show_configuration(unit, workspace_id)
    row = workspaces.get_workspace(unit, workspace_id) if workspace_id is not None else None
    own = Source.WORKSPACE if row is not None else Source.TENANT
    form = form or _filled(known, own)
    rows = [
        SimpleNamespace(
            title=each.setting.title,
            help=each.setting.help,
            source=form[f"{field_name(name)}-from"],
            field=form[field_name(name)],
            several=bool(each.setting.choices),
            inherited=f"{told(each.setting, each.inherited)} ({FROM[each.inherited_from]})",
            bounds="" if each.setting.choices else f"{each.setting.least:g} to {each.setting.most:g}",
        )
        for name, each in known.items()
    ]
    names = ("id", "name", "archived_at", "beyond_plan")
    shown = None if row is None else SimpleNamespace(**{name: getattr(row, name) for name in names})
    return render_template("workspaces/settings.html", workspace=shown, form=form, rows=rows)
