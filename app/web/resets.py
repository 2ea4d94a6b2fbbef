"""Setting a new password by a link in a mail."""

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField

from app.core.errors import Invalid
from app.services import confirmations
from app.serving.forms import Form
from app.serving.requests import origin
from app.web.routing import Doorway, public_page

blueprint = Blueprint("resets", __name__)


class ResetForm(Form):
    """The address of the account."""

    email = StringField("E-mail")


class PasswordForm(Form):
    """The new password."""

    password = PasswordField("New password")


@public_page(blueprint, "/reset")
def new(_door: Doorway) -> str:
    return render_template("resets/new.html", form=ResetForm())


@public_page(blueprint, "/reset", methods=("POST",))
def create(door: Doorway) -> str | tuple[str, int]:
    """Ask for the mail; the answer is the same whether or not anybody has the address."""
    form = ResetForm()
    if not form.validate():
        return render_template("resets/new.html", form=form), 422
    try:
        confirmations.request_reset(door, form.email.data or "", origin=origin())
    except Invalid as error:
        form.blame(error)
        return render_template("resets/new.html", form=form), 422
    return render_template("resets/sent.html"), 202


@public_page(blueprint, "/reset/<token>")
def edit(door: Doorway, token: str) -> str:
    """Show the form; opening the link changes nothing."""
    email = confirmations.look(door, token, "reset")
    return render_template("resets/edit.html", form=PasswordForm(), token=token, email=email)


@public_page(blueprint, "/reset/<token>", methods=("POST",))
def update(door: Doorway, token: str) -> Response | tuple[str, int]:
    """Set the password, and sign in with it."""
    form = PasswordForm()
    email = confirmations.look(door, token, "reset")
    try:
        if form.validate():
            confirmations.reset_password(door, token, form.password.data or "", origin=origin())
            flash("The password is set, and all sessions were ended. Sign in with it.", "good")
            return redirect(url_for("logins.new"), 303)
    except Invalid as error:
        form.blame(error)
    return render_template("resets/edit.html", form=form, token=token, email=email), 422
