"""Rotation of an API key: a new secret (shown once), and the end of the old one's overlap."""

from datetime import UTC, timedelta
from uuid import UUID

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from app.core.errors import Conflict, Invalid
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.accounts import ApiKey
from app.services import api_keys, key_ceilings, key_rotations
from app.serving.forms import Form
from app.serving.runtimes import runtime
from app.web.key_views import key_callers, shown_one
from app.web.keys import NameForm, allowed, show_secret
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("key_rotations", __name__)


class RotationForm(Form):
    """How long the old secret works beside the new one."""

    overlap = SelectField(
        "The old secret works for",
        choices=[
            SelectChoice("24", "24 hours more"),
            SelectChoice("0", "no longer: it ends now"),
            SelectChoice("1", "an hour more"),
            SelectChoice("72", "three days more"),
            SelectChoice("168", "a week more"),
            SelectChoice("720", "30 days more"),
        ],
    )
    lifetime = SelectField("The key ends", default="")


RENEWED = (SelectChoice("90", "in 90 days"), SelectChoice("30", "in 30 days"), SelectChoice("365", "in a year"))


def _form(unit: Unit, key: ApiKey) -> RotationForm:
    """Return the form with the ends that the tenant's ceiling allows."""
    form, ceiling = RotationForm(), key_ceilings.ceiling_of(unit)
    kept = "as before: " + (f"on {key.expires_at.astimezone(UTC):%-d %B %Y}" if key.expires_at else "never")
    if ceiling.shortened(key.expires_at, unit.now()) != key.expires_at:
        kept = "as late as keys of this tenant may"
    form.lifetime.choices = [SelectChoice("", kept), *(each for each in RENEWED if allowed(ceiling, each.value))]
    return form


@tenant_page(blueprint, "/keys/<uuid:key_id>/rotation", Permission.KEYS_WRITE, home=Home.ACCOUNT, confirmed=True)
def new(unit: Unit, key_id: UUID) -> str | tuple[str, int]:
    key = api_keys.get_key(unit, key_id)
    form = _form(unit, key)
    try:
        key_rotations.require_rotatable(key, unit.now())
    except Conflict as error:
        form.blame(error)
        return _page(unit, key, form), error.status
    return _page(unit, key, form)


@tenant_page(
    blueprint,
    "/keys/<uuid:key_id>/rotation",
    Permission.KEYS_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
    confirmed=True,
)
def create(unit: Unit, key_id: UUID) -> str | tuple[str, int]:
    """Rotate the key and show its new secret, this once: hence no redirect."""
    key = api_keys.get_key(unit, key_id)
    form = _form(unit, key)
    try:
        if not form.validate():
            return _page(unit, key, form), 422
        overlap, days = timedelta(hours=int(form.overlap.data)), form.lifetime.data
        lifetime = timedelta(days=int(days)) if days else None
        issued = key_rotations.rotate_key(unit, key_id, pepper=runtime().pepper, overlap=overlap, lifetime=lifetime)
    except (Conflict, Invalid) as error:
        form.blame(error)
        return _page(unit, key, form), error.status
    _present, old = key_callers(unit, issued.key)
    return show_secret(issued, old.ends_at if old else unit.now())


def _page(unit: Unit, key: ApiKey, form: RotationForm) -> str:
    _present, old = key_callers(unit, key)
    ends_at = key_ceilings.ceiling_of(unit).shortened(key.expires_at, unit.now())
    shortened = ends_at if ends_at != key.expires_at else None
    return render_template("key_rotations/new.html", key=shown_one(unit, key), old=old, shortened=shortened, form=form)


@tenant_page(blueprint, "/keys/<uuid:key_id>/overlap", Permission.KEYS_WRITE, home=Home.ACCOUNT)
def overlap(unit: Unit, key_id: UUID) -> str:
    return _confirm(unit, key_id, NameForm())


@tenant_page(blueprint, "/keys/<uuid:key_id>/overlap", Permission.KEYS_WRITE, home=Home.ACCOUNT, methods=("POST",))
def end(unit: Unit, key_id: UUID) -> Response | tuple[str, int]:
    """End the old secret of the key whose name was typed."""
    form = NameForm()
    key = api_keys.get_key(unit, key_id)
    if not form.repeats(key.name, "end its old secret"):
        return _confirm(unit, key_id, form), 422
    key_rotations.end_overlap(unit, key_id)
    flash(f"The old secret of {key.name} has ended.", "good")
    return redirect(url_for("keys.show", key_id=key_id), 303)


def _confirm(unit: Unit, key_id: UUID, form: NameForm) -> str:
    key = api_keys.get_key(unit, key_id)
    _present, old = key_callers(unit, key)
    return render_template("key_rotations/overlap.html", key=shown_one(unit, key), old=old, form=form)
