"""Having an effect that is stuck tried again at once."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Conflict, Invalid
from app.db.units import Doorway
from app.platform.routing import member, staff_page
from app.platform.tenants import find_tenant
from app.services import checkups, staff
from app.services.staff import Wish
from app.serving.forms import Form
from app.serving.requests import origin

blueprint = Blueprint("retries", __name__)


class RetryForm(Form):
    """Why now."""

    reason = StringField("Reason")


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/effects/<uuid:effect_id>/retry")
def ask(door: Doorway, tenant_id: UUID, effect_id: UUID) -> str:
    effect = checkups.stuck_effect(door.session, tenant_id, effect_id)
    return render_template("platform/retry.html", row=find_tenant(door, tenant_id), effect=effect, form=RetryForm())


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/effects/<uuid:effect_id>/retry", methods=("POST",))
def create(door: Doorway, tenant_id: UUID, effect_id: UUID) -> Response | tuple[str, int]:
    """Put the order on record; the worker makes the effect due, and the relay takes it."""
    row, form = find_tenant(door, tenant_id), RetryForm()
    effect = checkups.stuck_effect(door.session, tenant_id, effect_id)
    try:
        detail = {"effect_id": str(effect.id), "home": effect.home, "kind": effect.kind}
        staff.order(door, member(), Wish(tenant_id, "effect.retry", form.reason.data or "", detail), origin=origin())
    except (Invalid, Conflict) as error:
        form.blame(error)
        return render_template("platform/retry.html", row=row, effect=effect, form=form), error.status
    flash("On record: it is tried again within seconds.", "good")
    return redirect(url_for("records.state"), 303)
