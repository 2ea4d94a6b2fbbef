"""Confirming the address that one signed up with, which signs in."""

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import PasswordField

from app.core.errors import Invalid, TooManyRequests
from app.services import confirmations
from app.services.accounts import PendingSignIn
from app.serving.forms import Form
from app.serving.requests import origin
from app.web import sessions
from app.web.routing import Doorway, public_page

blueprint = Blueprint("verifications", __name__)


class VerificationForm(Form):
    """The password that was chosen when signing up: the mailbox alone confirms no account that another made."""

    password = PasswordField("Password")


@public_page(blueprint, "/verification/<token>")
def show(door: Doorway, token: str) -> str:
    """Say what the button does; opening the link changes nothing."""
    email = confirmations.look(door, token, "verification")
    return render_template("verifications/show.html", form=VerificationForm(), email=email)


@public_page(blueprint, "/verification/<token>", methods=("POST",))
def create(door: Doorway, token: str) -> Response | tuple[str, int]:
    """Confirm the address, sign in, and go to the tenant."""
    form = VerificationForm()
    form.validate()
    try:
        begun = confirmations.verify(door, token, form.password.data or "", origin=origin())
    except (Invalid, TooManyRequests) as error:
        door.commit()
        form.blame(error)
        email = confirmations.look(door, token, "verification")
        return render_template("verifications/show.html", form=form, email=email), error.status
    if isinstance(begun, PendingSignIn):
        sessions.wait(begun, None)
        return redirect(url_for("login_factors.new"), 303)
    sessions.begin(begun)
    flash("The address is confirmed.", "good")
    return redirect(url_for("landings.show"), 303)
