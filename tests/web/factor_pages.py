"""The gallery's pages of second factors, and the routes that they link to."""

from collections.abc import Callable
from types import SimpleNamespace as Row
from typing import Any
from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired

from app.db.factors import Factors
from app.db.passkeys import Passkey
from app.services.own_data import Belonging
from app.services.policies import Conformity, MemberFactor
from app.web.factors import picture
from tests.web import samples as s
from tests.web.contexts import invalid

KEY = "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"
CODES = tuple(f"{n}k7q-2vxa-{n}mzt" for n in range(10))
BARE = Factors(None, 0, 0)
HELD = Factors(s.before(days=40), 2, 2)
PASSKEYS = [
    Passkey(UUID(int=1), b"a", "Chrome on Linux", True, (), s.before(days=30), s.before(hours=5), None),
    Passkey(UUID(int=2), b"b", "Key on my ring", False, (), s.before(days=300), s.before(days=5), s.before(days=5)),
]
PEOPLE = Conformity(
    1,
    1,
    (
        MemberFactor(UUID(int=5), "Grace Hopper", "grace@northwind.example", "viewer", False),
        MemberFactor(UUID(int=6), "Ada Lindqvist", "ada.lindqvist@northwind.example", "owner", True),
    ),
)
ROUTES = {
    "policies.factor": "/sign-in/factor",
    "policies.ask_factor": "/sign-in/factor/",
}

APART = {
    "login_factors.new": "/login/factor",
    "login_passkeys.create": "/login/passkey",
    "login_passkeys.challenge": "/login/passkey/challenge",
    "login_passkeys.finish": "/login/factor/passkey",
    "login_passkeys.factor_challenge": "/login/factor/challenge",
    "own_data.download": "/account/data",
    "own_data.deletion": "/account/deletion",
    "own_data.delete": "/account/deletion/",
    "passkeys.new": "/account/passkeys/new",
    "passkeys.create": "/account/passkeys",
    "passkeys.challenge": "/account/passkeys/challenge",
    "passkeys.removal": "/account/passkeys/<passkey_id>/removal",
    "passkeys.remove": "/account/passkeys/<passkey_id>/removal/",
    "provider_step_ups.begin": "/account/confirmation/provider",
    "step_ups.challenge": "/account/confirmation/challenge",
    "step_ups.confirm_by_passkey": "/account/confirmation/passkey",
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


class PasskeyNameForm(FlaskForm):
    name = StringField("Name", [DataRequired("Must not be empty")])
    credential = HiddenField()
    next = HiddenField()


class AddressForm(FlaskForm):
    name = StringField("Your address", [DataRequired("Type ada.lindqvist@northwind.example to delete the account")])


def _deletion(form: FlaskForm, *held: Belonging) -> dict[str, Any]:
    tenants = [*held, Belonging("Fjord Lines", "fjord", "active", False)]
    return {"account": s.ACCOUNT, "form": form, "tenants": tenants, "held": list(held)}


def _asked(factors: Factors, form: FlaskForm, **more: Any) -> dict[str, Any]:
    asked = {"account": s.ACCOUNT, "email": s.PERSON.email, "factors": factors, "form": form}
    return {**asked, "passkey": CodeForm(formdata=None), "provider": None, "vouched": False, **more}


def _codes() -> dict[str, Any]:
    return {"codes": CODES, "next": "/account", "text": "The authenticator app is set up."}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "login-factor": ("login_factors/new.html", lambda: _asked(HELD, CodeForm(formdata=None))),
    "login-factor-wrong": ("login_factors/new.html", lambda: _asked(HELD, invalid(CodeForm, next="/account"))),
    "step-up": ("step_ups/show.html", lambda: _asked(BARE, ConfirmForm(formdata=None))),
    "step-up-code": ("step_ups/show.html", lambda: _asked(HELD, invalid(CodeForm, next="/account"))),
    "step-up-provider": (
        "step_ups/show.html",
        lambda: _asked(BARE, ConfirmForm(formdata=None), provider="Northwind Traders", vouched=True),
    ),
    "step-up-own": ("step_ups/show.html", lambda: _asked(BARE, ConfirmForm(formdata=None), vouched=True)),
    "step-up-refused": (
        "step_ups/refused.html",
        lambda: {"reason": "You signed in there as somebody else than the person who is signed in here.", "next": ""},
    ),
    "step-up-factor": ("step_ups/factor.html", lambda: {"next": "/t/northwind/"}),
    "totp": (
        "factors/totp.html",
        lambda: {"form": CodeForm(formdata=None), "key": KEY, "picture": picture("otpauth://totp/Sentinel:ada")},
    ),
    "recovery-codes": ("factors/codes.html", _codes),
    "recovery-renewal": ("factors/renewal.html", lambda: {"form": FlaskForm(), "left": 2}),
    "account-deletion": ("own_data/deletion.html", lambda: _deletion(invalid(AddressForm, next="/account"))),
    "account-deletion-held": (
        "own_data/deletion.html",
        lambda: _deletion(AddressForm(formdata=None), Belonging("Northwind Traders", "northwind", "active", True)),
    ),
    "passkey-new": ("passkeys/new.html", lambda: {"form": PasskeyNameForm(formdata=None, name="Chrome on Linux")}),
    "passkey-invalid": ("passkeys/new.html", lambda: {"form": invalid(PasskeyNameForm, next="/account")}),
    "passkey-removal": ("passkeys/removal.html", lambda: {"form": FlaskForm(), "passkey": PASSKEYS[0]}),
    "sign-in-factor": ("policies/factor.html", lambda: {"form": FlaskForm(), "required": False, "people": PEOPLE}),
    "sign-in-factor-off": ("policies/factor.html", lambda: {"form": FlaskForm(), "required": True, "people": PEOPLE}),
    "totp-removal": ("factors/removal.html", lambda: {"form": FlaskForm()}),
}


def account(number: int) -> dict[str, Any]:
    """What the page of one's account tells of factors: none, or those of somebody who has some."""
    return vars(Row(factors=HELD if number else BARE, passkeys=PASSKEYS if number else []))
