"""API keys: listed, issued (shown once), looked at, changed, revoked."""

import re
from datetime import datetime, timedelta
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import DateField, IntegerField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional, StopValidation
from wtforms.widgets import CheckboxInput, ListWidget

from app.core.errors import Conflict, Invalid
from app.core.permissions import KEY_SCOPES, Permission
from app.db.units import Home, Unit
from app.models.accounts import ApiKey
from app.services import api_keys, key_ceilings, key_secrets, service_accounts, usage
from app.services.access import may
from app.serving.forms import Form
from app.serving.runtimes import runtime
from app.web import workspace_choices
from app.web.charts import Bar, Chart, Series
from app.web.key_views import key_callers, shown, shown_one
from app.web.listings import ROWS, id_given
from app.web.presentation import scope
from app.web.repeats import RepeatForm
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("keys", __name__)

ON_A_DAY = "day"
DAYS = 30
NOTES = {
    Permission.GUARD_PROCESS: "Check texts with the guard",
    Permission.SCANS_READ: "See scans and their steps",
    Permission.SCANS_WRITE: "Start and cancel scans",
    Permission.FINDINGS_READ: "Read what scans found",
    Permission.FINDINGS_WRITE: "Accept and resolve findings",
    Permission.ASSETS_READ: "See assets and their proofs",
    Permission.ASSETS_WRITE: "Add and archive assets",
    Permission.USAGE_READ: "Read calls and counts",
    Permission.PEOPLE_READ: "List members and invitations",
    Permission.PEOPLE_WRITE: "Invite, change and remove operators and viewers",
    Permission.WORKSPACES_READ: "See the workspace and its settings",
    Permission.WORKSPACES_WRITE: "Make, change and archive workspaces",
    Permission.SETTINGS_READ: "Read what all workspaces inherit",
    Permission.SETTINGS_WRITE: "Change the tenant and what all workspaces inherit",
    Permission.AUDIT_READ: "Read the whole audit log",
    Permission.KEYS_READ: "List keys, never their secrets",
    Permission.KEYS_WRITE: "Revoke keys; a key makes and changes none",
    Permission.PLAN_READ: "Read the plan and what is used of it",
}


LIFETIMES = (
    SelectChoice("90", "in 90 days"),
    SelectChoice("7", "in 7 days"),
    SelectChoice("30", "in 30 days"),
    SelectChoice("365", "in a year"),
    SelectChoice(ON_A_DAY, "on a date"),
    SelectChoice("", "never"),
)


class KeyForm(Form):
    """What a key is for and what it may do."""

    name = StringField("Name")
    owner = SelectField("Belongs to", default="")
    scopes = SelectMultipleField(
        "Scopes",
        choices=[SelectChoice(str(each), scope(each)) for each in KEY_SCOPES],
        widget=ListWidget(),
        option_widget=CheckboxInput(),
    )
    lifetime = SelectField("Expires")
    last_day = DateField("Last day", [Optional()])
    networks = TextAreaField("Networks")
    calls_per_minute = IntegerField("Calls per minute", [Optional()])
    workspace_id = SelectField("Workspace", validate_choice=False)

    def validate_lifetime(self, field: SelectField) -> None:
        """Demand the last day where it counts, and refuse it where it would not."""
        given = bool((self.last_day.raw_data or [""])[0].strip())
        if field.data == ON_A_DAY and not given:
            raise StopValidation("Choose the last day beneath")
        if field.data != ON_A_DAY and given:
            raise StopValidation("Choose \u201con a date\u201d, or clear the last day beneath")


class ChangeForm(Form):
    """What can be changed of a key that was issued."""

    name = StringField("Name")
    networks = TextAreaField("Networks")
    calls_per_minute = IntegerField("Calls per minute", [Optional()])


class NameForm(RepeatForm):
    """The name typed once more."""

    name = StringField("Name of the key")


@tenant_page(blueprint, "/keys", Permission.KEYS_READ, home=Home.ACCOUNT)
def index(unit: Unit) -> str:
    page = api_keys.list_keys(unit, cursor=request.args.get("after"), size=ROWS)
    return render_template(
        "keys/index.html",
        rows=shown(unit, page.rows),
        older=page.next_cursor,
        base_url=runtime().settings.base_url,
        ceiling=key_ceilings.ceiling_of(unit),
    )


@tenant_page(blueprint, "/keys/new", Permission.KEYS_WRITE, home=Home.ACCOUNT, confirmed=True)
def new(unit: Unit) -> str:
    form = _form(unit)
    form.owner.data = request.args.get("account", "")
    form.workspace_id.data = request.args.get("workspace_id")
    return _issuing(form)


def _form(unit: Unit) -> KeyForm:
    """Return the form with whom, and in which workspace, a key can be issued for."""
    form = KeyForm()
    ceiling = key_ceilings.ceiling_of(unit)
    form.lifetime.choices = [choice for choice in LIFETIMES if allowed(ceiling, choice.value)]
    accounts = service_accounts.accounts_to_choose(unit)
    form.owner.choices = [
        SelectChoice("", f"you, {unit.actor.label}"),
        *(SelectChoice(str(account.id), f"the service account {account.name}") for account in accounts),
    ]
    form.workspace_id.choices = workspace_choices.choices(unit)
    return form


def _issuing(form: KeyForm) -> str:
    return render_template("keys/new.html", form=form, notes=NOTES)


@tenant_page(blueprint, "/keys", Permission.KEYS_WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True)
def create(unit: Unit) -> str | tuple[str, int]:
    """Issue the key and show its secret, this once: hence no redirect."""
    form = _form(unit)
    try:
        if not form.validate():
            return _issuing(form), 422
        issued = _issued(unit, form)
    except (Invalid, Conflict) as error:
        form.blame(error)
        return _issuing(form), error.status
    return show_secret(issued)


def _issued(unit: Unit, form: KeyForm) -> key_secrets.IssuedKey:
    days = form.lifetime.data
    return api_keys.issue_key(
        unit,
        name=form.name.data or "",
        scopes=form.scopes.data or [],
        pepper=runtime().pepper,
        lifetime=timedelta(days=int(days)) if days and days != ON_A_DAY else None,
        last_day=form.last_day.data,
        networks=_lines(form.networks.data),
        calls_per_minute=form.calls_per_minute.data,
        service_account_id=UUID(form.owner.data) if form.owner.data else None,
        workspace_id=id_given("workspace_id"),
    )


def allowed(ceiling: key_ceilings.Ceiling, days: str) -> bool:
    """Tell whether keys of the tenant may last for so many days; without a number, for ever."""
    if days == ON_A_DAY:
        return True
    return not ceiling.demands_expiry if not days else int(days) <= (ceiling.most_days or int(days))


def show_secret(issued: key_secrets.IssuedKey, old_ends_at: datetime | None = None) -> str:
    """Return the page that shows a secret, this once; `old_ends_at`: until when the former one works too."""
    key = issued.key
    curl = example(issued.secret, key.scopes)
    return render_template(
        "keys/created.html", key_id=key.id, name=key.name, secret=issued.secret, curl=curl, old_ends_at=old_ends_at
    )


def _lines(text: str | None) -> list[str]:
    return [part for part in re.split(r"[\s,;]+", text or "") if part]


def example(secret: str, scopes: list[str]) -> str:
    """Return a command that the key's scopes allow."""
    address = f"curl {runtime().settings.base_url}/api/v1/"
    signed = f" \\\n  -H 'Authorization: Bearer {secret}'"
    if Permission.GUARD_PROCESS in scopes:
        body = '{"user_input": "My card is 4532-1234-5678-9010", "user_id": "u-1"}'
        return f"{address}process{signed} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
    noun = next((s.split(":")[1] for s in scopes if s.endswith(":read")), "scans")
    return f"{address}{noun}{signed}"


@tenant_page(blueprint, "/keys/<uuid:key_id>", Permission.KEYS_READ, home=Home.ACCOUNT)
def show(unit: Unit, key_id: UUID) -> str:
    key = api_keys.get_key(unit, key_id)
    form = ChangeForm(name=key.name, networks="\n".join(key.networks), calls_per_minute=key.calls_per_minute)
    return _page(unit, key, form)


@tenant_page(blueprint, "/keys/<uuid:key_id>", Permission.KEYS_WRITE, home=Home.ACCOUNT, methods=("POST",))
def change(unit: Unit, key_id: UUID) -> Response | tuple[str, int]:
    """Give the key another name and other networks."""
    form = ChangeForm()
    key = api_keys.get_key(unit, key_id)
    try:
        if not form.validate():
            return _page(unit, key, form), 422
        api_keys.change_key(
            unit,
            key_id,
            name=form.name.data or "",
            networks=_lines(form.networks.data),
            calls_per_minute=form.calls_per_minute.data,
        )
    except (Invalid, Conflict) as error:
        form.blame(error)
        return _page(unit, key, form), error.status
    flash(f"{key.name} was changed. It holds from the next call on.", "good")
    return redirect(url_for("keys.show", key_id=key_id), 303)


def _page(unit: Unit, key: ApiKey, form: ChangeForm) -> str:
    chart = None
    if may(unit, Permission.USAGE_READ):
        daily = usage.calls_of_key(unit.at_home(Home.CONTENT), key.id, days=DAYS)
        rows = [
            (day, number, url_for("usages.calls", key_id=key.id, day=day.isoformat())) for day, number in daily.days
        ]
        bars = tuple(Bar(day, (number,), url) for day, number, url in rows)
        chart = Chart("calls", "Calls per day", "calls", (Series("Calls"),), bars)
    present, old = key_callers(unit, key)
    return render_template(
        "keys/show.html", key=shown_one(unit, key), form=form, chart=chart, days=DAYS, callers=present, old=old
    )


@tenant_page(blueprint, "/keys/<uuid:key_id>/revocation", Permission.KEYS_WRITE, home=Home.ACCOUNT)
def revocation(unit: Unit, key_id: UUID) -> str:
    return _confirm(unit, key_id, NameForm())


@tenant_page(blueprint, "/keys/<uuid:key_id>/revocation", Permission.KEYS_WRITE, home=Home.ACCOUNT, methods=("POST",))
def revoke(unit: Unit, key_id: UUID) -> Response | tuple[str, int]:
    """Revoke the key whose name was typed."""
    form = NameForm()
    key = api_keys.get_key(unit, key_id)
    if not form.repeats(key.name, "revoke it"):
        return _confirm(unit, key_id, form), 422
    api_keys.revoke_key(unit, key_id)
    flash(f"{key.name} was revoked.", "good")
    return redirect(url_for("keys.index"), 303)


def _confirm(unit: Unit, key_id: UUID, form: NameForm) -> str:
    return render_template("keys/revocation.html", key=shown_one(unit, api_keys.get_key(unit, key_id)), form=form)
