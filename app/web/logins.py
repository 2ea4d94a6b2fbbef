"""Signing in and out."""

from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField, StringField

from app.core.errors import TooManyRequests, Unauthenticated
from app.services import accounts, sign_ons
from app.services.accounts import PendingSignIn
from app.serving import returns
from app.serving.forms import Form
from app.serving.requests import origin
from app.web import sessions
from app.web.ceremonies import PasskeyForm
from app.web.routing import Doorway, public_page

blueprint = Blueprint("logins", __name__)


class LoginForm(Form):
    """An address and its password; `next` is the page that was asked for."""

    email = StringField("E-mail")
    password = PasswordField("Password")
    next = HiddenField()


@public_page(blueprint, "/login")
def new(_door: Doorway) -> str:
    return _page(LoginForm(next=request.args.get("next", "")))


@public_page(blueprint, "/login", methods=("POST",))
def create(door: Doorway) -> Response | tuple[str, int]:
    """Open a session and go where one wanted to, or ask for the second factor first."""
    form = LoginForm()
    if not form.validate():
        return _page(form), 422
    wanted = returns.within(form.next.data)
    try:
        begun = accounts.sign_in(door, form.email.data or "", form.password.data or "", origin=origin())
    except (Unauthenticated, TooManyRequests) as error:
        door.commit()
        form.blame(error)
        return _page(form), 429 if isinstance(error, TooManyRequests) else 422
    if isinstance(begun, PendingSignIn):
        sessions.wait(begun, wanted)
        return redirect(url_for("login_factors.new"), 303)
    sessions.begin(begun)
    return redirect(wanted or url_for("landings.show"), 303)


@public_page(blueprint, "/logout", methods=("POST",))
def end(door: Doorway) -> Response | str:
    """End the session, here and on the server; offer to sign out of the provider that opened it too."""
    token = sessions.end()
    farewell = sign_ons.farewell_of(door, token) if token else None
    if token:
        accounts.sign_out(door, token)
    if farewell:
        return render_template("sign_ons/leave.html", url=farewell, host=urlsplit(farewell).netloc)
    return redirect(url_for("logins.new"), 303)


def _page(form: LoginForm) -> str:
    return render_template("logins/new.html", form=form, passkey=PasskeyForm(formdata=None, next=form.next.data))
