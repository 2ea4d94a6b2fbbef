"""One's own passkeys: added under a name, removed."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Invalid
from app.services import passkeys, profiles, step_ups
from app.serving import returns
from app.serving.forms import Form
from app.serving.requests import origin
from app.web import agents, sessions
from app.web.ceremonies import PasskeyForm, answer, ceremony, site
from app.web.factors import added
from app.web.routing import Doorway, personal_page

blueprint = Blueprint("passkeys", __name__)


class NewForm(PasskeyForm):
    """What the passkey is called."""

    name = StringField("Name")


@personal_page(blueprint, "/account/passkeys/new", confirmed=True)
def new(_door: Doorway) -> str:
    name = agents.device(request.headers.get("User-Agent"))
    form = NewForm(name=name, next=returns.within(request.args.get("next")) or "")
    return render_template("passkeys/new.html", form=form)


@personal_page(blueprint, "/account/passkeys/challenge", methods=("POST",), confirmed=True)
def challenge(door: Doorway) -> Response:
    """Give the script what it needs to make a passkey."""
    token = sessions.token()
    return answer(passkeys.begin_enrolment(door, profiles.account_of(door, token), bound=token, site=site()))


@personal_page(blueprint, "/account/passkeys", methods=("POST",), confirmed=True)
def create(door: Doorway) -> Response | str | tuple[str, int]:
    """Keep the passkey; the session counts as strong from now on."""
    form = NewForm()
    token = sessions.token()
    account = profiles.account_of(door, token)
    try:
        if form.validate():
            made, name = form.credential.data or "", form.name.data or ""
            given = ceremony("enrol", token)
            codes = passkeys.add_passkey(door, account, given, made, name, site=site(), origin=origin())
            sessions.renew(step_ups.renew(door, token, account, "passkey", strong=True))
            return added("The passkey was added.", codes, form.next.data)
    except Invalid as error:
        door.commit()
        form.blame(error)
    return render_template("passkeys/new.html", form=form), 422


@personal_page(blueprint, "/account/passkeys/<uuid:passkey_id>/removal", confirmed=True)
def removal(door: Doorway, passkey_id: UUID) -> str:
    account = profiles.account_of(door, sessions.token())
    one = passkeys.get_passkey(door, account, passkey_id)
    return render_template("passkeys/removal.html", passkey=one, form=Form())


@personal_page(blueprint, "/account/passkeys/<uuid:passkey_id>/removal", methods=("POST",), confirmed=True)
def remove(door: Doorway, passkey_id: UUID) -> Response:
    """Forget the passkey."""
    account = profiles.account_of(door, sessions.token())
    passkeys.remove_passkey(door, account, passkey_id, origin=origin())
    flash("The passkey was removed. Delete it in its app or device as well.", "good")
    return redirect(url_for("profiles.show"), 303)
