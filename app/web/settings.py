"""General settings: what the tenant is called."""

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Invalid
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.tenants import Tenant
from app.services import tenants
from app.serving.forms import Form
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("settings", __name__)


class NameForm(Form):
    """What the tenant is called."""

    name = StringField("Name")


@tenant_page(blueprint, "/settings", Permission.SETTINGS_READ, home=Home.ACCOUNT)
def show(unit: Unit) -> str:
    tenant = tenants.get_tenant(unit)
    return _page(tenant, NameForm(name=tenant.name))


@tenant_page(blueprint, "/settings", Permission.SETTINGS_WRITE, home=Home.ACCOUNT, methods=("POST",))
def rename(unit: Unit) -> Response | tuple[str, int]:
    """Give the tenant another name."""
    form = NameForm()
    try:
        if form.validate():
            renamed = tenants.rename_tenant(unit, form.name.data or "")
            flash(f"The tenant is called {renamed.name} now.", "good")
            return redirect(url_for("settings.show"), 303)
    except Invalid as error:
        form.blame(error)
    return _page(tenants.get_tenant(unit), form), 422


def _page(tenant: Tenant, form: NameForm) -> str:
    return render_template("settings/show.html", facts=tenant, form=form)
