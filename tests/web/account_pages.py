"""The gallery's pages before one is in a tenant, and of one's own account; the routes that they link to."""

from collections.abc import Callable
from types import SimpleNamespace as Row
from typing import Any

from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired

from app.web.agents import device
from app.web.verifications import VerificationForm
from tests.web import factor_pages
from tests.web import samples as s
from tests.web.contexts import invalid

APART = {
    "signups.new": "/signup",
    "signups.create": "/signup/",
    "signups.slug": "/signup/slug",
    "logins.new": "/login",
    "logins.create": "/login/",
    "logins.end": "/logout",
    "tenants.index": "/tenants",
    "api_references.page": "/api/v1/reference",
    "api_references.document": "/api/v1/openapi.json",
    "api_references.scim_document": "/scim/v2/openapi.json",
    "resets.new": "/reset",
    "resets.create": "/reset/",
    "resets.update": "/reset/<token>",
    "profiles.show": "/account",
    "profiles.name": "/account/name",
    "profiles.rename": "/account/name/",
    "profiles.password": "/account/password",
    "profiles.change_password": "/account/password/",
    "profiles.email": "/account/email",
    "profiles.change_email": "/account/email/",
    "profiles.keep_email": "/account/email/withdrawal",
    "profiles.end_session": "/account/sessions/<session_id>/end",
    "profiles.end_others": "/account/sessions/end",
    "mailboxes.index": "/mailbox",
    "mailboxes.show": "/mailbox/<mail_id>",
}


class SignupForm(FlaskForm):
    company = StringField("Company", [DataRequired("Tell us what to call it")])
    slug = StringField("Short name", [DataRequired("Choose one")])
    email = StringField("E-mail", [DataRequired("An address is needed to sign in")])
    name = StringField("Your name", [DataRequired("Tell us what to call you")])
    password = PasswordField("Password", [DataRequired("Choose one")])


class LoginForm(FlaskForm):
    email = StringField("E-mail")
    password = PasswordField("Password")
    next = StringField()


class NameForm(FlaskForm):
    name = StringField("Name")


class ResetForm(FlaskForm):
    email = StringField("E-mail", [DataRequired("An address is needed")])


class SetForm(FlaskForm):
    password = PasswordField("New password", [DataRequired("Choose one")])


class ChangeForm(FlaskForm):
    current = PasswordField("Present password", [DataRequired("It is needed")])
    new = PasswordField("New password", [DataRequired("Choose one")])


class EmailForm(FlaskForm):
    email = StringField("New e-mail address")
    password = PasswordField("Password", [DataRequired("It is needed")])


def _account(events: list[Any], sessions: list[Any], **changed: Any) -> dict[str, Any]:
    account = Row(**{**vars(s.ACCOUNT), **changed})
    return {
        "account": account,
        "sessions": sessions,
        "events": events,
        "device": device,
        **factor_pages.account(len(events)),
        "programs": {s.uid(92): "Northwind Traders"},
    }


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "landing": ("landings/show.html", dict),
    "about-scans": ("landings/scans.html", lambda: {"most": 6}),
    "reference": ("references/show.html", lambda: s.REFERENCE),
    "signup": ("signups/new.html", lambda: {"form": SignupForm(formdata=None), "slug_state": "free"}),
    "signup-invalid": (
        "signups/new.html",
        lambda: {"form": invalid(SignupForm, email=s.PERSON.email), "slug_state": "taken"},
    ),
    "login": (
        "logins/new.html",
        lambda: {"form": LoginForm(formdata=None), "passkey": factor_pages.CodeForm(formdata=None)},
    ),
    "tenants": (
        "tenants/index.html",
        lambda: {"tenants": [Row(name="Northwind Traders", slug="northwind", role="owner", status="active")]},
    ),
    "tenants-none": ("tenants/index.html", lambda: {"tenants": []}),
    "signup-sent": ("signups/sent.html", dict),
    "reset": ("resets/new.html", lambda: {"form": ResetForm(formdata=None)}),
    "reset-sent": ("resets/sent.html", dict),
    "reset-edit": (
        "resets/edit.html",
        lambda: {"form": invalid(SetForm), "token": "a" * 43, "email": s.PERSON.email},
    ),
    "confirmation": (
        "confirmations/show.html",
        lambda: {
            "page": Row(title="Unlock sign-in", text="Failures of {email} are forgotten.", verb="Unlock sign-in"),
            "email": s.PERSON.email,
            "form": FlaskForm(),
        },
    ),
    "verification": (
        "verifications/show.html",
        lambda: {"form": invalid(VerificationForm), "email": s.PERSON.email},
    ),
    "account": ("profiles/show.html", lambda: _account(s.ACCOUNT_EVENTS, s.SESSIONS)),
    "account-new": (
        "profiles/show.html",
        lambda: _account([], s.SESSIONS[:1], new_email="ada@new.example", new_confirmed=True),
    ),
    "account-name": ("profiles/name.html", lambda: {"form": NameForm(formdata=None)}),
    "account-password": ("profiles/password.html", lambda: {"form": invalid(ChangeForm)}),
    "account-email": ("profiles/email.html", lambda: {"form": invalid(EmailForm, email=s.PERSON.email)}),
    "mailbox": ("mailboxes/index.html", lambda: {"rows": s.MAILS}),
    "mailbox-empty": ("mailboxes/index.html", lambda: {"rows": []}),
    "mail": ("mailboxes/show.html", lambda: {"mail": s.MAILS[0]}),
}
