"""Linking an account to a provider's sign-in by a mail: asked for, and confirmed in the browser that asked."""

from flask import Blueprint, flash, redirect, render_template, session, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Invalid, SignInRefused, TooManyRequests
from app.services import sign_on_links
from app.serving.forms import Form
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.web.departures import browser, own_client
from app.web.routing import Doorway, public_page
from app.web.sign_ons import begin_session

blueprint = Blueprint("mailed_links", __name__)


class CodeForm(Form):
    """A code, where the account has a second factor."""

    code = StringField("Code")


@public_page(blueprint, "/sso/link/mail", methods=("POST",))
def create(door: Doorway) -> Response | tuple[str, int]:
    """Mail the account's address a link."""
    token, settings = session.get("link", ""), runtime().settings
    try:
        sign_on_links.request_mail(door, token, browser=browser(), settings=settings, origin=origin())
    except TooManyRequests as error:
        flash(error.detail, "bad")
    except SignInRefused as error:
        return _refused(error)
    else:
        flash("We mailed you a link. Open it in this browser within 15 minutes.", "good")
    return redirect(url_for("sign_ons.link"), 303)


@public_page(blueprint, "/sso-link/<token>")
def show(door: Doorway, token: str) -> str | tuple[str, int]:
    """Say what the button does; opening the page changes nothing."""
    try:
        return _page(door, token, CodeForm())
    except SignInRefused as error:
        return _refused(error)


@public_page(blueprint, "/sso-link/<token>", methods=("POST",))
def redeem(door: Doorway, token: str) -> Response | tuple[str, int]:
    """Link the account, and sign in."""
    form, link_token = CodeForm(), session.get("link", "")
    try:
        pending = sign_on_links.look(door, link_token, token, browser())
        if not form.validate():
            return _page(door, token, form), 422
        opened = sign_on_links.by_mail(
            door,
            link_token,
            token,
            form.code.data or "",
            browser=browser(),
            base_url=runtime().settings.base_url,
            own=own_client(),
            master_key=runtime().master_key,
            origin=origin(),
        )
    except (Invalid, TooManyRequests) as error:
        door.commit()
        form.blame(error)
        return _page(door, token, form), error.status
    except SignInRefused as error:
        return _refused(error)
    return begin_session(door, opened, pending.next)


def _page(door: Doorway, token: str, form: CodeForm) -> str:
    pending = sign_on_links.look(door, session.get("link", ""), token, browser())
    return render_template("mailed_links/show.html", form=form, pending=pending, token=token)


def _refused(error: SignInRefused) -> tuple[str, int]:
    return render_template("sign_ons/refused.html", reason=str(error)), 403
