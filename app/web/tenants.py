"""The tenants that one belongs to."""

from typing import cast

from flask import Blueprint, current_app, g, render_template
from flask_login import current_user
from werkzeug.wrappers import Response

from app.services import entrances
from app.web.routing import Doorway, public_page

blueprint = Blueprint("tenants", __name__)


@public_page(blueprint, "/tenants")
def index(door: Doorway) -> Response | str:
    """List the tenants, each the way into it."""
    if not current_user.is_authenticated:
        return cast(Response, current_app.login_manager.unauthorized())  # type: ignore[attr-defined]
    g.wants_person = True
    return render_template("tenants/index.html", tenants=entrances.tenants_of(door, current_user.token))
