"""The pages of single sign-on with sample data, for the gallery."""

from collections.abc import Callable
from types import SimpleNamespace as Row
from typing import Any

from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired

from tests.web import factor_pages, provisioning_pages
from tests.web import samples as s
from tests.web.contexts import invalid

ROUTES = {
    "sign_ins.show": "/sign-in",
    "connections.show": "/sign-in/connection",
    "connections.save": "/sign-in/connection/",
    "connections.start": "/sign-in/connection/start",
    "connections.save_roles": "/sign-in/connection/roles",
    "connections.try_out": "/sign-in/connection/trial",
    "connections.switch_on": "/sign-in/connection/activation",
    "connections.switch_off": "/sign-in/connection/deactivation",
    "connections.require": "/sign-in/connection/requirement",
    "connections.allow": "/sign-in/connection/requirement/withdrawal",
    "connections.removal": "/sign-in/connection/removal",
    "connections.remove": "/sign-in/connection/removal/",
    "email_domains.index": "/sign-in/domains",
    "email_domains.create": "/sign-in/domains/",
    "email_domains.state": "/sign-in/domains/state",
    "email_domains.check": "/sign-in/domains/<domain_id>/check",
    "email_domains.removal": "/sign-in/domains/<domain_id>/removal",
    "email_domains.remove": "/sign-in/domains/<domain_id>/removal/",
}
APART = {
    "mailed_links.create": "/sso/link/mail",
    "mailed_links.redeem": "/sso-link/<token>",
    "sign_ons.new": "/sso",
    "sign_ons.create": "/sso/",
    "sign_ons.begin": "/sso/platform",
    "sign_ons.link": "/sso/link",
    "sign_ons.confirm_link": "/sso/link/",
    "sign_ons.signed_out": "/sso/signed-out",
}
BASE = "https://sentinel.northwind.example"
MAP = [["security-admins", "admin"], ["security", "operator"]]


class AddressForm(FlaskForm):
    email = StringField(
        "Work e-mail", [DataRequired("No company signs in through its own provider with this address.")]
    )


class LinkForm(FlaskForm):
    password = PasswordField("Password", [DataRequired("The address or the password is wrong.")])
    code = StringField("Code")


class ConnectionForm(FlaskForm):
    issuer = StringField("Issuer", [DataRequired("The provider calls itself https://login.northwind.example/, not …")])
    client_id = StringField("Client ID")
    secret = PasswordField("Client secret", [DataRequired("Enter the secret of this client")])


class RolesForm(FlaskForm):
    claim = StringField("Claim")
    roles = TextAreaField("Roles")
    default = SelectField(
        "Everybody else", choices=[SelectChoice("viewer", "becomes viewer"), SelectChoice("", "is refused")]
    )


class DomainForm(FlaskForm):
    domain = StringField("Domain", [DataRequired("A domain such as example.com")])


class NameForm(FlaskForm):
    name = StringField("Name")


def domain(number: int, name: str, state: str, **more: Any) -> Row:
    """A domain as the page shows it."""
    plain = {
        "id": s.uid(700 + number),
        "domain": name,
        "state": state,
        "verified_at": s.before(days=3) if state in ("proven", "missing") else None,
        "missing_since": s.before(days=4) if state == "missing" else None,
        "ends_at": s.before(days=-10) if state == "missing" else None,
        "lapsed_at": s.before(days=2) if state == "lapsed" else None,
        "checked_at": s.before(minutes=2),
        "checking": False,
        "name": f"_sentinel-challenge.{name}",
        "value": "sentinel-verification=5f0c7f7b3c0d4c3e9b1f5f0c7f7b3c0d",
        "attempts": [] if state == "proven" else [{"asked": "192.0.2.53", "status": "no such record"}],
    }
    return Row(**{**plain, **more})


DOMAINS = [domain(1, "northwind.example", "proven"), domain(2, "fjord.northwind.example", "unproven")]


def connection(status: str, **more: Any) -> Row:
    """A connection of this status."""
    plain = {
        "status": status,
        "issuer": "https://login.northwind.example/realms/staff",
        "client_id": "sentinel",
        "secret": b"x",
        "next_secret": None,
        "role_claim": "groups",
        "role_map": MAP,
        "default_role": "viewer",
        "tested_at": None if status == "draft" else s.before(minutes=4),
    }
    return Row(**{**plain, **more})


def trial(**more: Any) -> Row:
    """What a test sign-in told."""
    claims = {
        "email": s.PERSON.email,
        "email_verified": "true",
        "groups": '["everybody", "security-admins"]',
        "iss": "https://login.northwind.example/realms/staff",
        "name": "Ada Lindqvist",
        "sub": "248289761001",
    }
    plain = {"problem": None, "warning": None, "email": s.PERSON.email, "role": "admin", "claims": claims}
    return Row(**{**plain, **more})


def setup(status: str, **more: Any) -> dict[str, Any]:
    """The set-up page."""
    shown = connection(status)
    form = ConnectionForm(formdata=None, issuer=shown.issuer, client_id=shown.client_id)
    roles = RolesForm(formdata=None, claim="groups", roles="security-admins = admin\nsecurity = operator")
    plain = {
        "connection": shown,
        "redirect_uri": f"{BASE}/sso/{s.uid(600)}/callback",
        "signed_out_uri": f"{BASE}/sso/signed-out",
        "form": form,
        "roles": roles,
        "domains": DOMAINS,
        "trial": trial(),
        "sso_required": False,
        "mine": True,
    }
    return {**plain, **more}


def _empty() -> dict[str, Any]:
    bare = connection("draft", issuer="", client_id="", secret=b"", role_claim="", role_map=[])
    forms = {"form": ConnectionForm(formdata=None), "roles": RolesForm(formdata=None)}
    return setup("draft", connection=bare, trial=None, domains=[], **forms)


def _domains(rows: list[Row], **more: Any) -> dict[str, Any]:
    return {"domains": rows, "form": DomainForm(formdata=None), "checking": False, "offered": True, **more}


def _sign_in(found: Row | None, **more: Any) -> dict[str, Any]:
    domains, provisioning = (DOMAINS, provisioning_pages.ON) if found else ([], provisioning_pages.OFF)
    plain = {
        "connection": found,
        "domains": domains,
        "sso_required": False,
        "provisioning": provisioning,
        "offered": True,
    }
    return {**plain, "policy": Row(mfa_required=found is not None), "people": factor_pages.PEOPLE, **more}


def _asked(title: str, detail: str) -> dict[str, Any]:
    return {"error": Row(title=title, detail=detail), "form": AddressForm(formdata=None, email=s.PERSON.email)}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "sso": ("sign_ons/new.html", lambda: {"form": AddressForm(formdata=None)}),
    "sso-unknown": ("sign_ons/new.html", lambda: {"form": invalid(AddressForm)}),
    "sso-departure": (
        "sign_ons/departure.html",
        lambda: {"url": "https://login.northwind.example/authorize?client_id=sentinel", "name": "Northwind Traders"},
    ),
    "sso-refused": (
        "sign_ons/refused.html",
        lambda: {"reason": "ada@fjord.example is outside the e-mail domains that this company has proven."},
    ),
    "sso-link": (
        "sign_ons/link.html",
        lambda: {
            "form": invalid(LinkForm),
            "pending": Row(email=s.PERSON.email, tenant_name="Northwind Traders"),
        },
    ),
    "sso-mailed-link": (
        "mailed_links/show.html",
        lambda: {
            "form": LinkForm(formdata=None),
            "pending": Row(email=s.PERSON.email, tenant_name="Northwind Traders"),
            "token": "x",
        },
    ),
    "sso-required": (
        "sign_ons/required.html",
        lambda: _asked("Sign in through your company", "Northwind lets its people in through its own provider alone."),
    ),
    "sso-confined": (
        "sign_ons/confined.html",
        lambda: _asked("Sign in with your own password", "Another company's provider signed you in."),
    ),
    "sso-signed-out": ("sign_ons/signed_out.html", dict),
    "sso-leave": (
        "sign_ons/leave.html",
        lambda: {"url": "https://login.northwind.example/leave?id_token_hint=x", "host": "login.northwind.example"},
    ),
    "sign-in": ("sign_ins/show.html", lambda: _sign_in(connection("on"), sso_required=True)),
    "sign-in-empty": ("sign_ins/show.html", lambda: _sign_in(None)),
    "sign-in-not-offered": ("sign_ins/show.html", lambda: _sign_in(None, offered=False)),
    "connection-empty": ("connections/show.html", _empty),
    "connection-invalid": (
        "connections/show.html",
        lambda: setup("draft", form=invalid(ConnectionForm, client_id="sentinel"), trial=None),
    ),
    "connection-failed": (
        "connections/show.html",
        lambda: setup("draft", trial=trial(problem="The provider did not sign you in (access_denied).", claims=None)),
    ),
    "connection-tested": (
        "connections/show.html",
        lambda: setup("tested", trial=trial(warning="northwind.example is none of your proven domains yet.")),
    ),
    "connection-on": ("connections/show.html", lambda: setup("on", connection=connection("on", next_secret=b"x"))),
    "connection-removal": (
        "connections/removal.html",
        lambda: {"connection": connection("on"), "form": NameForm(formdata=None)},
    ),
    "domains": ("email_domains/index.html", lambda: _domains(DOMAINS)),
    "domains-missing": (
        "email_domains/index.html",
        lambda: _domains([domain(4, "fjord.example", "missing"), domain(5, "skerry.example", "lapsed")]),
    ),
    "domains-empty": ("email_domains/index.html", lambda: _domains([], form=invalid(DomainForm))),
    "domains-not-in-plan": ("email_domains/index.html", lambda: _domains(DOMAINS, offered=False)),
    "domains-checking": (
        "email_domains/index.html",
        lambda: _domains([domain(3, "fjord.example", "unproven", checking=True)], checking=True),
    ),
    "domain-removal": (
        "email_domains/removal.html",
        lambda: {"row": DOMAINS[0], "form": NameForm(formdata=None)},
    ),
}
