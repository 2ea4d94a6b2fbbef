"""The second step of signing in: a code of the authenticator app, or a recovery code; passkeys stand beside it."""

from flask import Blueprint, flash, redirect, render_template, session, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Invalid, TooManyRequests, Unauthenticated
from app.db.factors import Factors, Waiting
from app.services import factors, sign_ins
from app.services.accounts import SignIn
from app.serving import returns
from app.serving.forms import Form
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.web import sessions
from app.web.ceremonies import PasskeyForm
from app.web.routing import Doorway, public_page

blueprint = Blueprint("login_factors", __name__)


class CodeForm(Form):
    """A code of the app, or a recovery code."""

    code = StringField("Code")


@public_page(blueprint, "/login/factor")
def new(door: Doorway) -> Response | str:
    try:
        found, held = sign_ins.waiting(door, sessions.waiting())
    except Unauthenticated as error:
        return begin_again(error)
    return _page(found, held, CodeForm())


@public_page(blueprint, "/login/factor", methods=("POST",))
def create(door: Doorway) -> Response | tuple[str, int]:
    """Take the code, and open the session."""
    form = CodeForm()
    status = 422
    try:
        found, held = sign_ins.waiting(door, sessions.waiting())
        if form.validate():
            key, code = runtime().master_key, form.code.data or ""
            done = sign_ins.show_code(door, sessions.waiting(), code, master_key=key, origin=origin())
            return enter(door, done)
    except Unauthenticated as error:
        return begin_again(error)
    except (Invalid, TooManyRequests) as error:
        door.commit()
        form.blame(error)
        status = error.status
    return _page(found, held, form), status


def enter(door: Doorway, done: SignIn, wanted: str | None = None) -> Response:
    """Give the browser its session, and go where one wanted to."""
    wanted = wanted or returns.within(session.get("next"))
    sessions.begin(done)
    if "recovery" in done.methods:
        left = factors.state(door, done.user_id).codes_left
        flash(f"You signed in with a recovery code: {left} left. My account makes new ones.", "warn")
    return redirect(wanted or url_for("landings.show"), 303)


def begin_again(error: Unauthenticated) -> Response:
    """Lead back to the first step."""
    sessions.end()
    flash(error.detail, "warn")
    return redirect(url_for("logins.new"), 303)


def _page(found: Waiting, held: Factors, form: CodeForm) -> str:
    passkey = PasskeyForm(formdata=None)
    return render_template("login_factors/new.html", email=found.email, factors=held, form=form, passkey=passkey)
