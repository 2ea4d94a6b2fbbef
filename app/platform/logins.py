"""Staff sign in with a password and a second factor, and out; a one-use link makes an account."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from segno import make_qr
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField, StringField

from app.core.errors import Invalid, TooManyRequests, Unauthenticated
from app.db.units import Doorway
from app.platform import routing
from app.platform.routing import open_page
from app.services import authenticator_codes, staff
from app.serving import returns
from app.serving.forms import Form
from app.serving.requests import origin
from app.serving.runtimes import runtime

blueprint = Blueprint("logins", __name__)


class LoginForm(Form):
    """Address, password and code; `next` is the page that was asked for."""

    email = StringField("E-mail")
    password = PasswordField("Password")
    code = StringField("Code of your authenticator app")
    next = HiddenField()


class EnrolmentForm(Form):
    """Name, password, and the code that shows that the app has the secret."""

    name = StringField("Your name")
    password = PasswordField("Password")
    code = StringField("Code of your authenticator app")
    factor = HiddenField()


@open_page(blueprint, "/login")
def new(_door: Doorway) -> str:
    return render_template("platform/login.html", form=LoginForm(next=request.args.get("next", "")))


@open_page(blueprint, "/login", methods=("POST",))
def create(door: Doorway) -> Response | tuple[str, int]:
    """Open a session, and go where one wanted to."""
    form = LoginForm()
    if not form.validate():
        return render_template("platform/login.html", form=form), 422
    given = (form.email.data or "", form.password.data or "", form.code.data or "")
    try:
        token = staff.sign_in(door, *given, master_key=runtime().master_key, origin=origin())
    except (Unauthenticated, TooManyRequests) as error:
        door.commit()
        form.blame(error)
        return render_template("platform/login.html", form=form), 429 if isinstance(error, TooManyRequests) else 422
    routing.begin(token)
    return redirect(returns.within(form.next.data) or url_for("tenants.index"), 303)


@open_page(blueprint, "/logout", methods=("POST",))
def end(door: Doorway) -> Response:
    """End the session, here and on the server."""
    if token := routing.end():
        staff.sign_out(door, token)
    return redirect(url_for("logins.new"), 303)


@open_page(blueprint, "/welcome/<token>")
def welcome(door: Doorway, token: str) -> str:
    """Show the form of a one-use link; opening it changes nothing."""
    return _enrolment(door, token, EnrolmentForm(factor=authenticator_codes.new_secret()))


@open_page(blueprint, "/welcome/<token>", methods=("POST",))
def enrol(door: Doorway, token: str) -> Response | tuple[str, int]:
    """Make the account that the link is for."""
    form = EnrolmentForm()
    if not form.validate():
        return _enrolment(door, token, form), 422
    given = staff.Enrolment(
        form.name.data or "", form.password.data or "", form.factor.data or "", form.code.data or ""
    )
    try:
        staff.enrol(door, token, given, master_key=runtime().master_key, origin=origin())
    except Invalid as error:
        form.blame(error)
        return _enrolment(door, token, form), 422
    flash("Your account is made. Sign in with your password and the next code.", "good")
    return redirect(url_for("logins.new"), 303)


def _enrolment(door: Doorway, token: str, form: EnrolmentForm) -> str:
    email = staff.invited(door, token)
    factor = form.factor.data or authenticator_codes.new_secret()
    address = authenticator_codes.address_of(factor, email, "Sentinel staff")
    picture = make_qr(address).svg_data_uri(scale=5, border=2, dark="#000", light="#fff")
    return render_template("platform/welcome.html", form=form, token=token, email=email, factor=factor, picture=picture)
