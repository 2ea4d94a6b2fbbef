"""Signing in and out."""

from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField, StringField

from app.core.errors import TooManyRequests, Unauthenticated
from app.services import accounts
from app.serving.forms import Form
from app.serving.requests import origin
from app.web import sessions
from app.web.routing import Doorway, public_page

blueprint = Blueprint("logins", __name__)


class LoginForm(Form):
    """An address and its password; `next` is the page that was asked for."""

    email = StringField("E-mail")
    password = PasswordField("Password")
    next = HiddenField()


@public_page(blueprint, "/login")
def new(_door: Doorway) -> str:
    return render_template("logins/new.html", form=LoginForm(next=request.args.get("next", "")))


@public_page(blueprint, "/login", methods=("POST",))
def create(door: Doorway) -> Response | tuple[str, int]:
    """Open a session, and go where one wanted to."""
    form = LoginForm()
    if not form.validate():
        return render_template("logins/new.html", form=form), 422
    try:
        sign_in = accounts.sign_in(door, form.email.data or "", form.password.data or "", origin=origin())
    except (Unauthenticated, TooManyRequests) as error:
        door.commit()
        form.blame(error)
        return render_template("logins/new.html", form=form), 429 if isinstance(error, TooManyRequests) else 422
    sessions.begin(sign_in)
    session["slug"] = sign_in.slug
    return redirect(_within(form.next.data) or url_for("landings.show"), 303)


@public_page(blueprint, "/logout", methods=("POST",))
def end(door: Doorway) -> Response:
    """End the session, here and on the server."""
    token = sessions.end()
    if token:
        accounts.sign_out(door, token)
    return redirect(url_for("logins.new"), 303)


def _within(target: str | None) -> str | None:
    """Return `target` if it is a path of this site."""
    parts = urlsplit(target or "")
    inside = parts.path.startswith("/") and not parts.path.startswith("//") and "\\" not in (target or "")
    return target if inside and not parts.scheme and not parts.netloc else None
