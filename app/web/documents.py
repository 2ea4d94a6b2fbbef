"""Texts that are pasted to be scanned."""

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField, TextAreaField

from app.core.errors import Conflict, Invalid, Unavailable
from app.core.permissions import Permission
from app.db.units import Unit
from app.services import assets, scans
from app.services.plans import Rate
from app.serving.forms import Form
from app.serving.limits import limit_action
from app.web import workspace_choices
from app.web.listings import id_given
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("documents", __name__)


class DocumentForm(Form):
    """A text and what it is called."""

    name = StringField("Name")
    text = TextAreaField("Text")
    workspace_id = SelectField("Workspace", validate_choice=False)


@tenant_page(blueprint, "/documents/new", Permission.SCANS_WRITE)
def new(unit: Unit) -> str:
    return _form(unit, DocumentForm(workspace_id=request.args.get("workspace_id")))


@tenant_page(blueprint, "/documents", Permission.SCANS_WRITE, methods=("POST",))
def create(unit: Unit) -> Response | tuple[str, int]:
    """Keep the text, sealed, and scan it."""
    limit_action(unit, Rate.SCAN_STARTS)
    form = DocumentForm()
    try:
        asset = assets.add_document(
            unit, name=form.name.data or "", text=form.text.data or "", workspace_id=id_given("workspace_id")
        )
        scan = scans.start_scan(unit, asset.id, tool="text")
    except (Invalid, Conflict, Unavailable) as error:
        form.blame(error)
        return _form(unit, form), error.status
    return redirect(url_for("scans.show", scan_id=scan.id), 303)


def _form(unit: Unit, form: DocumentForm) -> str:
    form.workspace_id.choices = workspace_choices.choices(unit)
    return render_template("documents/new.html", form=form, limit=assets.LONGEST_DOCUMENT)
