"""One's own account: name, address, password, sessions."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField

from app.core.errors import Invalid, TooManyRequests
from app.services import factors, passkeys, profiles
from app.serving.forms import Form
from app.serving.requests import origin
from app.web import agents, sessions
from app.web.routing import Doorway, personal_page

blueprint = Blueprint("profiles", __name__)


class NameForm(Form):
    """How one is called."""

    name = StringField("Your name")


class PasswordForm(Form):
    """The present password and the next one."""

    current = PasswordField("Present password")
    new = PasswordField("New password")


class EmailForm(Form):
    """The next address, and the password again."""

    email = StringField("New e-mail address")
    password = PasswordField("Password")


@personal_page(blueprint, "/account")
def show(door: Doorway) -> str:
    token = sessions.token()
    account = profiles.account_of(door, token)
    return render_template(
        "profiles/show.html",
        account=account,
        factors=factors.state(door, account.user_id),
        passkeys=passkeys.list_passkeys(door, account.user_id),
        sessions=profiles.sessions_of(door, token),
        programs=profiles.programs_of(door, token),
        events=profiles.events_of(door, token),
        device=agents.device,
    )


@personal_page(blueprint, "/account/name")
def name(door: Doorway) -> str:
    account = profiles.account_of(door, sessions.token())
    return render_template("profiles/name.html", form=NameForm(name=account.name))


@personal_page(blueprint, "/account/name", methods=("POST",))
def rename(door: Doorway) -> Response | tuple[str, int]:
    """Change the name, in every tenant."""
    form = NameForm()
    try:
        if form.validate():
            profiles.rename(door, sessions.token(), form.name.data or "", origin=origin())
            flash("The name was changed.", "good")
            return redirect(url_for("profiles.show"), 303)
    except Invalid as error:
        form.blame(error)
    return render_template("profiles/name.html", form=form), 422


@personal_page(blueprint, "/account/password")
def password(_door: Doorway) -> str:
    return render_template("profiles/password.html", form=PasswordForm())


@personal_page(blueprint, "/account/password", methods=("POST",))
def change_password(door: Doorway) -> Response | tuple[str, int]:
    """Change the password; the other sessions end."""
    form = PasswordForm()
    status = 422
    try:
        if form.validate():
            current, new = form.current.data or "", form.new.data or ""
            ended = profiles.change_password(door, sessions.token(), current=current, new=new, origin=origin())
            flash("The password was changed." + _ended(ended), "good")
            return redirect(url_for("profiles.show"), 303)
    except (Invalid, TooManyRequests) as error:
        door.commit()
        form.blame(error)
        status = error.status
    return render_template("profiles/password.html", form=form), status


@personal_page(blueprint, "/account/email")
def email(_door: Doorway) -> str:
    return render_template("profiles/email.html", form=EmailForm())


@personal_page(blueprint, "/account/email", methods=("POST",))
def change_email(door: Doorway) -> Response | tuple[str, int]:
    """Mail both addresses a link."""
    form = EmailForm()
    status = 422
    try:
        if form.validate():
            typed, secret = form.email.data or "", form.password.data or ""
            profiles.begin_email_change(door, sessions.token(), email=typed, password=secret, origin=origin())
            flash("A link went to both addresses. The change is done once both are confirmed.", "note")
            return redirect(url_for("profiles.show"), 303)
    except (Invalid, TooManyRequests) as error:
        door.commit()
        form.blame(error)
        status = error.status
    return render_template("profiles/email.html", form=form), status


@personal_page(blueprint, "/account/email/withdrawal", methods=("POST",))
def keep_email(door: Doorway) -> Response:
    """Give up the change of address."""
    profiles.drop_email_change(door, sessions.token(), origin=origin())
    flash("The address stays as it is.", "note")
    return redirect(url_for("profiles.show"), 303)


@personal_page(blueprint, "/account/sessions/<uuid:session_id>/end", methods=("POST",))
def end_session(door: Doorway, session_id: UUID) -> Response:
    """End one session."""
    profiles.end_session(door, sessions.token(), session_id, origin=origin())
    flash("The session was ended.", "good")
    return redirect(url_for("profiles.show"), 303)


@personal_page(blueprint, "/account/sessions/end", methods=("POST",))
def end_others(door: Doorway) -> Response:
    """End all sessions but this one."""
    ended = profiles.end_other_sessions(door, sessions.token(), origin=origin())
    flash(_ended(ended).strip() or "There was no other session.", "good")
    return redirect(url_for("profiles.show"), 303)


def _ended(number: int) -> str:
    return "" if not number else f" {number} other session{'' if number == 1 else 's'} ended."
