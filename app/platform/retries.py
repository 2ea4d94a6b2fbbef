"""Having an effect that is stuck tried again at once."""

from uuid import UUID

from flask import Blueprint, render_template, url_for
from werkzeug.wrappers import Response

from app.db.oversight import StuckEffect
from app.db.units import Doorway
from app.platform import orders
from app.platform.orders import ReasonForm
from app.platform.routing import staff_page
from app.platform.tenants import find_tenant
from app.services import checkups
from app.services.staff import Wish

blueprint = Blueprint("retries", __name__)


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/effects/<uuid:effect_id>/retry")
def ask(door: Doorway, tenant_id: UUID, effect_id: UUID) -> str:
    return _ask(door, checkups.stuck_effect(door.session, tenant_id, effect_id), ReasonForm())


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/effects/<uuid:effect_id>/retry", methods=("POST",))
def create(door: Doorway, tenant_id: UUID, effect_id: UUID) -> Response | tuple[str, int]:
    """Put the order on record; the worker makes the effect due, and the relay takes it."""
    effect, form = checkups.stuck_effect(door.session, tenant_id, effect_id), ReasonForm()
    detail = {"effect_id": str(effect.id), "home": effect.home, "kind": effect.kind}
    return orders.give(
        door,
        form,
        lambda: Wish(tenant_id, "effect.retry", form.reason.data or "", detail),
        lambda: _ask(door, effect, form),
        told="On record: it is tried again within seconds.",
        back=url_for("records.state"),
    )


def _ask(door: Doorway, effect: StuckEffect, form: ReasonForm) -> str:
    row = find_tenant(door, effect.tenant_id)
    return render_template("platform/retry.html", row=row, effect=effect, form=form)
