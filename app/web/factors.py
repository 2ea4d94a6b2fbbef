"""One's own second factors: setting up an authenticator app, recovery codes, removing them."""

import segno
from flask import Blueprint, flash, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField

from app.core.errors import Conflict, Invalid
from app.db.people import Account
from app.services import factors, profiles, step_ups
from app.services.factors import Enrolment
from app.serving import returns
from app.serving.forms import Form
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.web import sessions
from app.web.routing import Doorway, personal_page

blueprint = Blueprint("factors", __name__)


class TotpForm(Form):
    """The app's first code; the key itself goes to and fro sealed."""

    code = StringField("Code")
    sealed = HiddenField()
    next = HiddenField()


@personal_page(blueprint, "/account/authenticator", confirmed=True)
def new(door: Doorway) -> Response | str:
    """Show a new key, as a picture and as text."""
    account = profiles.account_of(door, sessions.token())
    if factors.state(door, account.user_id).totp_at is not None:
        return redirect(url_for("profiles.show"), 303)
    form = TotpForm(next=returns.within(request.args.get("next")) or "")
    return _page(form, _fresh(door, account))


@personal_page(blueprint, "/account/authenticator", methods=("POST",), confirmed=True)
def create(door: Doorway) -> Response | str | tuple[str, int]:
    """Put the app in force by a right code; the session counts as strong from now on."""
    form = TotpForm()
    token = sessions.token()
    account = profiles.account_of(door, token)
    shown = None
    try:
        key = runtime().master_key
        shown = factors.same_totp(account, form.sealed.data or "", master_key=key, now=door.units.clock.now())
        if form.validate():
            code = form.code.data or ""
            codes = factors.add_totp(door, account, shown, code, master_key=key, origin=origin())
            sessions.renew(step_ups.renew(door, token, account, "totp", strong=True))
            return added("The authenticator app is set up.", codes, form.next.data)
    except (Invalid, Conflict) as error:
        form.blame(error)
    return _page(form, shown or _fresh(door, account)), 422


def added(text: str, codes: tuple[str, ...] | None, wanted: str | None) -> Response | str:
    """Show recovery codes where they were made with the first factor, this once; then go where one wanted to."""
    back = returns.within(wanted) or url_for("profiles.show")
    if codes is None:
        flash(text, "good")
        return redirect(back, 303)
    return render_template("factors/codes.html", codes=codes, next=back, text=text)


@personal_page(blueprint, "/account/authenticator/removal", confirmed=True)
def removal(_door: Doorway) -> str:
    return render_template("factors/removal.html", form=Form())


@personal_page(blueprint, "/account/authenticator/removal", methods=("POST",), confirmed=True)
def remove(door: Doorway) -> Response:
    """Forget the app."""
    factors.remove_totp(door, profiles.account_of(door, sessions.token()), origin=origin())
    flash("The authenticator app was removed.", "good")
    return redirect(url_for("profiles.show"), 303)


@personal_page(blueprint, "/account/recovery-codes", confirmed=True)
def codes(door: Doorway) -> str:
    account = profiles.account_of(door, sessions.token())
    return render_template("factors/renewal.html", form=Form(), left=factors.state(door, account.user_id).codes_left)


@personal_page(blueprint, "/account/recovery-codes", methods=("POST",), confirmed=True)
def renew_codes(door: Doorway) -> str:
    """Make new codes, and show them this once."""
    made = factors.renew_codes(door, profiles.account_of(door, sessions.token()), origin=origin())
    text = "The earlier codes are void from now on."
    return render_template("factors/codes.html", codes=made, next=url_for("profiles.show"), text=text)


def _fresh(door: Doorway, account: Account) -> Enrolment:
    return factors.new_totp(account, master_key=runtime().master_key, now=door.units.clock.now())


def _page(form: TotpForm, shown: Enrolment) -> str:
    form.sealed.data = shown.sealed
    return render_template("factors/totp.html", form=form, key=shown.key, picture=picture(shown.uri))


def picture(uri: str) -> Markup:
    """Return the QR code of an address as SVG that stands in the page, dark on light in either theme."""
    drawn = segno.make(uri, error="m", micro=False)
    return Markup(drawn.svg_inline(scale=5, border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None))  # noqa: S704
