"""The front door: to one's tenant, or to signing up and in."""

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from app.services import entrances
from app.services.admissions import TARGET_MOST
from app.web import sessions
from app.web.routing import Doorway, public_page

blueprint = Blueprint("landings", __name__)


@public_page(blueprint, "/")
def show(door: Doorway) -> Response | str:
    """Lead whoever is signed in to the tenant of the last visit, in whatever browser that was."""
    if sessions.visitor() is None:
        return render_template("landings/show.html")
    slug = entrances.last_visited(door, sessions.token())
    return redirect(url_for("overviews.show", slug=slug) if slug else url_for("tenants.index"), 303)


@public_page(blueprint, "/about/scans")
def scans(_door: Doorway) -> str:
    """Explain the scans to whoever finds one in a log."""
    return render_template("landings/scans.html", most=TARGET_MOST)
