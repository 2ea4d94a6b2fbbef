"""Proving once more who one is, before what a stolen session must not do; then back to where one was."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField, StringField

from app.core.errors import (
    AppError,
    ConfirmationRequired,
    Conflict,
    FactorRequired,
    Invalid,
    OwnProofRequired,
    TooManyRequests,
)
from app.db.factors import Factors
from app.db.people import Account
from app.services import factors, passkeys, profiles, step_ups
from app.services.passkeys import WrongPasskey
from app.serving import returns
from app.serving.errors import problem, wants_json
from app.serving.forms import Form
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.web import provider_step_ups, sessions
from app.web.ceremonies import PasskeyForm, answer, ceremony, shown, site
from app.web.routing import Doorway, personal_page

blueprint = Blueprint("step_ups", __name__)


class ConfirmForm(Form):
    """The password, or a code where the person has a second factor; `next` is the page that was asked for.

    `own`: a provider's word would not do there.
    """

    password = PasswordField("Password")
    code = StringField("Code")
    next = HiddenField()
    own = HiddenField()


@blueprint.app_errorhandler(ConfirmationRequired)
@blueprint.app_errorhandler(FactorRequired)
def _prove(error: AppError) -> Response:
    """Lead a page's visitor to the proof that is missing, and back; programs get the problem."""
    if wants_json():
        return problem(error)
    wanted = "factor" if isinstance(error, FactorRequired) else None
    if isinstance(error, OwnProofRequired):
        wanted = "own"
    return redirect(url_for("step_ups.show", next=returns.present(), wanted=wanted), 303)


@personal_page(blueprint, "/account/confirmation")
def show(door: Doorway) -> str:
    """Ask for the factor, or for the password; where a factor is wanted that is not there, lead to adding one."""
    account = profiles.account_of(door, sessions.token())
    held = factors.state(door, account.user_id)
    back = returns.within(request.args.get("next")) or url_for("profiles.show")
    if request.args.get("wanted") == "factor" and not held.any:
        return render_template("step_ups/factor.html", next=back)
    return _page(door, account, held, ConfirmForm(next=back, own="1" if request.args.get("wanted") == "own" else ""))


@personal_page(blueprint, "/account/confirmation", methods=("POST",))
def confirm(door: Doorway) -> Response | tuple[str, int]:
    """Take the proof; the session goes on under a new token."""
    form = ConfirmForm()
    token = sessions.token()
    account = profiles.account_of(door, token)
    held = factors.state(door, account.user_id)
    status = 422
    try:
        if form.validate():
            sessions.renew(_proved(door, token, account, held, form))
            return redirect(returns.within(form.next.data) or url_for("profiles.show"), 303)
    except (Invalid, Conflict, TooManyRequests) as error:
        door.commit()
        form.blame(error)
        status = error.status
    return _page(door, account, held, form), status


@personal_page(blueprint, "/account/confirmation/challenge", methods=("POST",))
def challenge(door: Doorway) -> Response:
    """Give the script a challenge for the person's passkeys."""
    token = sessions.token()
    user_id = profiles.account_of(door, token).user_id
    return answer(passkeys.begin_proof(door, "confirm", bound=token, user_id=user_id, site=site()))


@personal_page(blueprint, "/account/confirmation/passkey", methods=("POST",))
def confirm_by_passkey(door: Doorway) -> Response:
    """Take a passkey; the session goes on under a new token."""
    form = PasskeyForm()
    token = sessions.token()
    account = profiles.account_of(door, token)
    wanted = returns.within(form.next.data)
    try:
        shown(door, ceremony("confirm", token), form, account.user_id)
        sessions.renew(step_ups.renew(door, token, account, "passkey", strong=True))
    except (WrongPasskey, TooManyRequests) as error:
        flash(error.detail, "bad")
        return redirect(url_for("step_ups.show", next=wanted), 303)
    return redirect(wanted or url_for("profiles.show"), 303)


def _proved(door: Doorway, token: str, account: Account, held: Factors, form: ConfirmForm) -> str:
    if held.any:
        key = runtime().master_key
        return step_ups.by_code(door, token, account, form.code.data or "", master_key=key, origin=origin())
    return step_ups.by_password(door, token, account, form.password.data or "", origin=origin())


def _page(door: Doorway, account: Account, held: Factors, form: ConfirmForm) -> str:
    passkey = PasskeyForm(formdata=None, next=form.next.data)
    found = provider_step_ups.way(door, sessions.token())
    provider = None if found is None or form.own.data else provider_step_ups.name_of(found)
    given = {"account": account, "factors": held, "form": form, "passkey": passkey}
    return render_template("step_ups/show.html", **given, provider=provider, vouched=found is not None)
