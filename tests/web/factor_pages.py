"""The gallery's pages of second factors, and the routes that they link to."""

from collections.abc import Callable
from types import SimpleNamespace as Row
from typing import Any

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired

from app.db.factors import Factors
from app.web.factors import picture
from tests.web import samples as s

KEY = "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"
CODES = tuple(f"{n}k7q-2vxa-{n}mzt" for n in range(10))
BARE = Factors(None, 0, 0)
HELD = Factors(s.before(days=40), 0, 2)

APART = {
    "login_factors.new": "/login/factor",
    "step_ups.show": "/account/confirmation",
    "step_ups.confirm": "/account/confirmation/",
    "factors.new": "/account/authenticator",
    "factors.create": "/account/authenticator/",
    "factors.removal": "/account/authenticator/removal",
    "factors.remove": "/account/authenticator/removal/",
    "factors.codes": "/account/recovery-codes",
    "factors.renew_codes": "/account/recovery-codes/",
}


class CodeForm(FlaskForm):
    code = StringField("Code", [DataRequired("This code is wrong, or was used already")])
    sealed = HiddenField()
    next = HiddenField()


class ConfirmForm(CodeForm):
    password = PasswordField("Password", [DataRequired("This is not your password")])


def _wrong(kind: type[FlaskForm]) -> FlaskForm:
    form = kind(formdata=MultiDict({"next": "/account"}))
    form.validate()
    return form


def _asked(factors: Factors, form: FlaskForm) -> dict[str, Any]:
    return {"account": s.ACCOUNT, "email": s.PERSON.email, "factors": factors, "form": form}


def _codes() -> dict[str, Any]:
    return {"codes": CODES, "next": "/account", "text": "The authenticator app is set up."}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "login-factor": ("login_factors/new.html", lambda: _asked(HELD, CodeForm(formdata=None))),
    "login-factor-wrong": ("login_factors/new.html", lambda: _asked(HELD, _wrong(CodeForm))),
    "step-up": ("step_ups/show.html", lambda: _asked(BARE, ConfirmForm(formdata=None))),
    "step-up-code": ("step_ups/show.html", lambda: _asked(HELD, _wrong(CodeForm))),
    "step-up-factor": ("step_ups/factor.html", lambda: {"next": "/t/northwind/"}),
    "totp": (
        "factors/totp.html",
        lambda: {"form": CodeForm(formdata=None), "key": KEY, "picture": picture("otpauth://totp/Sentinel:ada")},
    ),
    "recovery-codes": ("factors/codes.html", _codes),
    "recovery-renewal": ("factors/renewal.html", lambda: {"form": FlaskForm(), "left": 2}),
    "totp-removal": ("factors/removal.html", lambda: {"form": FlaskForm()}),
}


def account(number: int) -> dict[str, Any]:
    """What the page of one's account tells of factors: none, or those of somebody who has some."""
    return vars(Row(factors=HELD if number else BARE))
