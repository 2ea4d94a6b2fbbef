"""API keys: listed, issued (shown once), revoked."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.widgets import CheckboxInput, ListWidget

from app.core.errors import Invalid
from app.core.permissions import KEY_SCOPES, Permission
from app.db.units import Home, Unit
from app.models.accounts import ApiKey
from app.services import api_keys, digests
from app.serving.runtimes import runtime
from app.web.forms import Form
from app.web.listings import ROWS
from app.web.presentation import scope
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("keys", __name__)

NOTES = {
    Permission.GUARD_PROCESS: "Check texts with the guard",
    Permission.SCANS_READ: "See scans and their steps",
    Permission.SCANS_WRITE: "Start and cancel scans",
    Permission.FINDINGS_READ: "Read what scans found",
    Permission.FINDINGS_WRITE: "Accept and resolve findings",
    Permission.ASSETS_READ: "See assets and their proofs",
    Permission.ASSETS_WRITE: "Add and archive assets",
    Permission.USAGE_READ: "Read calls and counts",
}


class KeyForm(Form):
    """What a key is for and what it may do."""

    name = StringField("Name")
    scopes = SelectMultipleField(
        "Scopes",
        choices=[SelectChoice(str(each), scope(each)) for each in KEY_SCOPES],
        widget=ListWidget(),
        option_widget=CheckboxInput(),
    )
    lifetime = SelectField(
        "Expires",
        choices=[
            SelectChoice("90", "in 90 days"),
            SelectChoice("30", "in 30 days"),
            SelectChoice("365", "in a year"),
            SelectChoice("", "never"),
        ],
    )


class NameForm(Form):
    """The name typed once more."""

    name = StringField("Name of the key")


@tenant_page(blueprint, "/keys", Permission.KEYS_READ, home=Home.ACCOUNT)
def index(unit: Unit) -> str:
    page = api_keys.list_keys(unit, cursor=request.args.get("after"), size=ROWS)
    used = digests.keys_last_used(unit, [key.id for key in page.rows])
    rows = [_shown(unit, key, used) for key in page.rows]
    return render_template("keys/index.html", rows=rows, older=page.next_cursor, base_url=runtime().settings.base_url)


def _shown(unit: Unit, key: ApiKey, used: dict[UUID, datetime]) -> SimpleNamespace:
    expired = key.expires_at is not None and key.expires_at <= unit.now()
    state = "revoked" if key.revoked_at else "expired" if expired else "active"
    names = ("id", "name", "hint", "scopes", "maker_label", "created_at", "expires_at")
    return SimpleNamespace(**{name: getattr(key, name) for name in names}, state=state, last_used_at=used.get(key.id))


@tenant_page(blueprint, "/keys/new", Permission.KEYS_WRITE, home=Home.ACCOUNT)
def new(_unit: Unit) -> str:
    return render_template("keys/new.html", form=KeyForm(), notes=NOTES)


@tenant_page(blueprint, "/keys", Permission.KEYS_WRITE, home=Home.ACCOUNT, methods=("POST",))
def create(unit: Unit) -> str | tuple[str, int]:
    """Issue the key and show its secret, this once: hence no redirect."""
    form = KeyForm()
    try:
        if not form.validate():
            return render_template("keys/new.html", form=form, notes=NOTES), 422
        lifetime = timedelta(days=int(form.lifetime.data)) if form.lifetime.data else None
        issued = api_keys.issue_key(
            unit, name=form.name.data or "", scopes=form.scopes.data or [], pepper=runtime().pepper, lifetime=lifetime
        )
    except Invalid as error:
        form.blame(error)
        return render_template("keys/new.html", form=form, notes=NOTES), 422
    curl = example(issued.secret, issued.key.scopes)
    return render_template("keys/created.html", name=issued.key.name, secret=issued.secret, curl=curl)


def example(secret: str, scopes: list[str]) -> str:
    """Return a command that the key's scopes allow."""
    address = f"curl {runtime().settings.base_url}/api/v1/"
    signed = f" \\\n  -H 'Authorization: Bearer {secret}'"
    if Permission.GUARD_PROCESS in scopes:
        body = '{"user_input": "My card is 4532-1234-5678-9010", "user_id": "u-1"}'
        return f"{address}process{signed} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
    noun = next((s.split(":")[1] for s in scopes if s.endswith(":read")), "scans")
    return f"{address}{noun}{signed}"


@tenant_page(blueprint, "/keys/<uuid:key_id>/revocation", Permission.KEYS_WRITE, home=Home.ACCOUNT)
def revocation(unit: Unit, key_id: UUID) -> str:
    return _confirm(unit, key_id, NameForm())


@tenant_page(blueprint, "/keys/<uuid:key_id>/revocation", Permission.KEYS_WRITE, home=Home.ACCOUNT, methods=("POST",))
def revoke(unit: Unit, key_id: UUID) -> Response | tuple[str, int]:
    """Revoke the key whose name was typed."""
    form = NameForm()
    key = api_keys.get_key(unit, key_id)
    if (form.name.data or "").strip() != key.name or not form.validate():
        form.blame(Invalid(fields={"name": f"type {key.name} to revoke it"}))
        return _confirm(unit, key_id, form), 422
    api_keys.revoke_key(unit, key_id)
    flash(f"{key.name} was revoked.", "good")
    return redirect(url_for("keys.index"), 303)


def _confirm(unit: Unit, key_id: UUID, form: NameForm) -> str:
    key = api_keys.get_key(unit, key_id)
    return render_template(
        "keys/revocation.html", key=_shown(unit, key, digests.keys_last_used(unit, [key_id])), form=form
    )
