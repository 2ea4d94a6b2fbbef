"""The danger zone: an owner deletes the tenant, and brings it back while it is kept."""

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Invalid
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import lifecycles
from app.serving.forms import Form
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("closures", __name__)


class ClosureForm(Form):
    """The slug, typed to confirm."""

    name = StringField("Slug of the tenant")


@tenant_page(blueprint, "/settings/deletion", Permission.OWNERSHIP_WRITE, home=Home.ACCOUNT, confirmed=True)
def new(unit: Unit) -> str:
    return _page(unit, ClosureForm())


@tenant_page(
    blueprint,
    "/settings/deletion",
    Permission.OWNERSHIP_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
    confirmed=True,
)
def create(unit: Unit) -> Response | tuple[str, int]:
    """Close the tenant, and say how it comes back."""
    form = ClosureForm()
    form.validate()
    try:
        deleted = lifecycles.delete_tenant(unit, form.name.data or "")
    except Invalid as error:
        form.name.errors = [*form.name.errors, *error.fields.values()]
        return _page(unit, form), 422
    flash(f"{deleted.name} is deleted. Until {deleted.purge_at:%-d %B %Y} (UTC) an owner can restore it.", "good")
    return redirect(url_for("tenants.index"), 303)


def _page(unit: Unit, form: ClosureForm) -> str:
    return render_template("closures/new.html", form=form, ending=lifecycles.foresee_deletion(unit))


@tenant_page(blueprint, "/restoration", Permission.OWNERSHIP_WRITE, home=Home.ACCOUNT, closed=True)
def show(unit: Unit) -> str:
    return render_template("closures/show.html", deleted=lifecycles.deleted_tenant(unit))


@tenant_page(blueprint, "/restoration", Permission.OWNERSHIP_WRITE, home=Home.ACCOUNT, methods=("POST",), closed=True)
def end(unit: Unit) -> Response:
    """Bring the tenant back as it was."""
    flash(f"{lifecycles.restore_tenant(unit).name} is restored.", "good")
    return redirect(url_for("overviews.show"), 303)
