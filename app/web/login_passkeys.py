"""Signing in with a passkey: by itself, or as the second step after the password."""

from flask import Blueprint, flash, redirect, url_for
from werkzeug.wrappers import Response

from app.core.errors import TooManyRequests, Unauthenticated
from app.services import passkeys, sign_ins
from app.services.passkeys import WrongPasskey
from app.serving import returns
from app.serving.requests import origin
from app.web import sessions
from app.web.ceremonies import PasskeyForm, answer, ceremony, shown, site
from app.web.login_factors import begin_again, enter
from app.web.routing import Doorway, public_page

blueprint = Blueprint("login_passkeys", __name__)


@public_page(blueprint, "/login/passkey/challenge", methods=("POST",))
def challenge(door: Doorway) -> Response:
    """Give the script a challenge that any passkey for this site may answer."""
    return answer(passkeys.begin_proof(door, "sign-in", bound="", user_id=None, site=site()))


@public_page(blueprint, "/login/passkey", methods=("POST",))
def create(door: Doorway) -> Response:
    """Open a session for whoever the passkey belongs to."""
    form = PasskeyForm()
    wanted = returns.within(form.next.data)
    try:
        found = shown(door, ceremony("sign-in"), form)
    except (WrongPasskey, TooManyRequests) as error:
        flash(error.detail, "bad")
        return redirect(url_for("logins.new", next=wanted), 303)
    return enter(door, sign_ins.by_passkey(door, found, origin=origin()), wanted)


@public_page(blueprint, "/login/factor/challenge", methods=("POST",))
def factor_challenge(door: Doorway) -> Response:
    """Give the script a challenge for the passkeys of whoever gave the password."""
    token = sessions.waiting()
    try:
        found, _held = sign_ins.waiting(door, token)
    except Unauthenticated as error:
        return begin_again(error)
    return answer(passkeys.begin_proof(door, "factor", bound=token, user_id=found.user_id, site=site()))


@public_page(blueprint, "/login/factor/passkey", methods=("POST",))
def finish(door: Doorway) -> Response:
    """Take the passkey as the second factor."""
    token = sessions.waiting()
    try:
        found = sign_ins.try_waiting(door, token)
        shown(door, ceremony("factor", token), PasskeyForm(), found.user_id)
    except Unauthenticated as error:
        return begin_again(error)
    except (WrongPasskey, TooManyRequests) as error:
        flash(error.detail, "bad")
        return redirect(url_for("login_factors.new"), 303)
    return enter(door, sign_ins.finish(door, token, found, "passkey", origin=origin()))
