"""What the tenant demands of all its keys."""

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import BooleanField, IntegerField
from wtforms.validators import Optional

from app.core.errors import Invalid
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import key_ceilings
from app.serving.forms import Form
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("key_ceilings", __name__)


class CeilingForm(Form):
    """How long keys last at most, and whether they must expire."""

    most_days = IntegerField("Longest life in days", [Optional()])
    expiry_required = BooleanField("Keys must expire")


@tenant_page(blueprint, "/keys/ceiling", Permission.SETTINGS_WRITE, home=Home.ACCOUNT, confirmed=True)
def edit(unit: Unit) -> str:
    ceiling = key_ceilings.ceiling_of(unit)
    form = CeilingForm(most_days=ceiling.most_days, expiry_required=ceiling.expiry_required)
    return render_template("key_ceilings/edit.html", form=form)


@tenant_page(
    blueprint, "/keys/ceiling", Permission.SETTINGS_WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True
)
def update(unit: Unit) -> Response | tuple[str, int]:
    form = CeilingForm()
    if not form.validate():
        return render_template("key_ceilings/edit.html", form=form), 422
    try:
        key_ceilings.change_ceiling(
            unit, most_days=form.most_days.data, expiry_required=bool(form.expiry_required.data)
        )
    except Invalid as error:
        form.blame(error)
        return render_template("key_ceilings/edit.html", form=form), 422
    flash("The ceiling was changed. It holds for what is issued or rotated from now on.", "good")
    return redirect(url_for("keys.index"), 303)
