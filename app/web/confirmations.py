"""What links in mails lead to: a page that says what its button does. Opening it changes nothing."""

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from app.services import confirmations
from app.serving.forms import Form
from app.serving.requests import origin
from app.web import sessions
from app.web.routing import Doorway, public_page

blueprint = Blueprint("confirmations", __name__)
RULE = "/<any('unlock', 'email-old', 'email-new'):purpose>/<token>"


@dataclass(frozen=True)
class Page:
    """The words of one purpose; `{email}` is the address that the link was mailed to."""

    title: str
    text: str
    verb: str


PAGES = {
    "unlock": Page("Unlock sign-in", "Failed attempts to sign in as {email} are forgotten.", "Unlock sign-in"),
    "email-old": Page("Leave this address", "Your account will no longer use {email}.", "Confirm the change"),
    "email-new": Page("Use this address", "Your account will use {email} from then on.", "Confirm the address"),
}


@public_page(blueprint, RULE)
def show(door: Doorway, purpose: str, token: str) -> str:
    email = confirmations.look(door, token, purpose)
    return render_template("confirmations/show.html", page=PAGES[purpose], email=email, form=Form())


@public_page(blueprint, RULE, methods=("POST",))
def redeem(door: Doorway, purpose: str, token: str) -> Response:
    """Do what the page said."""
    if purpose == "unlock":
        confirmations.unlock(door, token, origin=origin())
        flash("Sign-in is unlocked.", "good")
    else:
        confirmed = confirmations.confirm_email(door, token, purpose, origin=origin())
        other = confirmed.old_email if purpose == "email-new" else confirmed.new_email
        flash(
            f"The address is now {confirmed.new_email}." if confirmed.done else f"Now confirm it from {other} as well.",
            "good" if confirmed.done else "note",
        )
    if sessions.visitor() is None:
        return redirect(url_for("logins.new"), 303)
    return redirect(url_for("profiles.show"), 303)
