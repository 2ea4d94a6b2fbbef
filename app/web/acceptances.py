"""What the link of an invitation leads to. Opening it changes nothing."""

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField

from app.core.errors import Conflict, Invalid, NotFound, QuotaExceeded
from app.db.invitations import Invited
from app.services import acceptances, accounts
from app.services.acceptances import Newcomer, WrongAccount
from app.serving.forms import Form
from app.serving.requests import origin
from app.web import sessions
from app.web.routing import Doorway, public_page

blueprint = Blueprint("acceptances", __name__)
RULE = "/invitation/<token>"
Page = str | tuple[str, int]


class NewcomerForm(Form):
    """Who one is."""

    name = StringField("Your name")
    password = PasswordField("Password")


@public_page(blueprint, RULE)
def show(door: Doorway, token: str) -> Page:
    try:
        return _page(acceptances.look(door, token), token, NewcomerForm())
    except NotFound:
        return _gone()


def _page(invited: Invited, token: str, form: NewcomerForm) -> str:
    """Return the page for whoever looks: invited and signed in, somebody else, known, or new."""
    who = sessions.visitor()
    if who is not None:
        state = "mine" if who.email == invited.email else "others"
    else:
        state = "known" if invited.has_account else "new"
    signed_in = None if who is None else who.email
    return render_template(
        "acceptances/show.html", invited=invited, token=token, form=form, state=state, signed_in=signed_in
    )


def _blamed(form: NewcomerForm) -> NewcomerForm:
    form.blame(
        Conflict("No seat is free. Ask whoever invited you to make room; the link keeps working until it expires.")
    )
    return form


def _gone() -> Page:
    return render_template("acceptances/gone.html"), 404


@public_page(blueprint, RULE, methods=("POST",))
def accept(door: Doorway, token: str) -> Response | Page:
    """Make whoever is signed in a member."""
    try:
        invited = acceptances.look(door, token)
        if sessions.visitor() is None:
            return _page(invited, token, NewcomerForm()), 401
        acceptances.accept(door, token, sessions.token(), origin=origin())
    except NotFound:
        return _gone()
    except WrongAccount:
        return _page(invited, token, NewcomerForm()), 403
    except QuotaExceeded as error:
        return _page(invited, token, _blamed(NewcomerForm())), error.status
    return _welcome(invited)


@public_page(blueprint, RULE + "/account", methods=("POST",))
def join(door: Doorway, token: str) -> Response | Page:
    """Make an account and the membership in one go."""
    form = NewcomerForm()
    try:
        invited = acceptances.look(door, token)
        if not form.validate():
            return _page(invited, token, form), 422
        newcomer = Newcomer(form.name.data or "", form.password.data or "")
        sign_in = acceptances.join(door, token, newcomer, origin=origin())
    except NotFound:
        return _gone()
    except QuotaExceeded as error:
        return _page(invited, token, _blamed(form)), error.status
    except (Invalid, Conflict) as error:
        form.blame(error)
        return _page(invited, token, form), error.status
    sessions.begin(sign_in)
    return _welcome(invited)


def _welcome(invited: Invited) -> Response:
    flash(f"Welcome to {invited.tenant_name}.", "good")
    return redirect(url_for("overviews.show", slug=invited.slug), 303)


@public_page(blueprint, RULE + "/sign-out", methods=("POST",))
def change(door: Doorway, token: str) -> Response:
    """Sign out, and come back to the invitation."""
    ended = sessions.end()
    if ended:
        accounts.sign_out(door, ended)
    return redirect(url_for("acceptances.show", token=token), 303)
