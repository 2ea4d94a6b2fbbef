"""The pages of people and invitations with sample data."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace as Row
from typing import Any

from flask_wtf import FlaskForm
from wtforms import DateField, FileField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired

from app.services.explanations import Source
from tests.web.contexts import invalid
from tests.web.samples import NOW, PERSON, TENANT, uid

ROUTES = {
    "settings.show": "/settings",
    "settings.rename": "/settings/",
    "people.index": "/people",
    "people.show": "/people/<user_id>",
    "people.change_role": "/people/<user_id>/role",
    "people.grant": "/people/<user_id>/extras",
    "people.take": "/people/<user_id>/extras/<extra_id>/end",
    "people.removal": "/people/<user_id>/removal",
    "people.remove": "/people/<user_id>/removal/",
    "people.departure": "/leave",
    "people.leave": "/leave/",
    "ownerships.show": "/ownership",
    "ownerships.new": "/people/<user_id>/ownership",
    "ownerships.create": "/people/<user_id>/ownership/",
    "ownerships.accept": "/ownership/acceptance",
    "ownerships.refuse": "/ownership/refusal",
    "ownerships.withdraw": "/ownership/withdrawal",
    "closures.new": "/settings/deletion",
    "invitations.index": "/people/invitations",
    "invitations.new": "/people/invitations/new",
    "invitations.create": "/people/invitations/",
    "invitations.resend": "/people/invitations/<invitation_id>/resend",
    "invitations.revoke": "/people/invitations/<invitation_id>/revocation",
}
APART = {
    "acceptances.show": "/invitation/<token>",
    "acceptances.accept": "/invitation/<token>/",
    "acceptances.join": "/invitation/<token>/account",
    "acceptances.change": "/invitation/<token>/sign-out",
}
FACTS = Row(**{**vars(TENANT), "created_at": NOW - timedelta(days=40), "trial_ends_at": NOW + timedelta(days=9)})


def member(number: int, name: str, role: str) -> Row:
    email = f"{name.split()[0].lower()}@northwind.example"
    seen = None if number == 2 else NOW - timedelta(hours=5 * number)
    since = NOW - timedelta(days=30 * number + 2)
    shown = {"user_id": uid(40 + number), "name": name, "email": email, "role": role, "own": number == 0}
    return Row(**shown, created_at=since, seen_at=seen, beyond_plan=number == 2)


PEOPLE = (("Ada Lindqvist", "owner"), ("Bo Andersson", "operator"), ("Carola von und zu Hohenstein", "auditor"))
MEMBERS = [member(number, *one) for number, one in enumerate(PEOPLE)]
ENDING = Row(keys=("Checkout service", "Nightly scan"), invitations=1, extras=("tenant:audit:read",))
NOTHING_ENDS = Row(keys=(), invitations=0, extras=())
EXTRAS = [
    Row(
        id=uid(60 + number),
        permission=permission,
        until=until,
        reason="Covers for Carola while she is away",
        granted_label=PERSON.email,
    )
    for number, (permission, until) in enumerate(
        [("tenant:audit:read", NOW + timedelta(days=9)), ("tenant:keys:read", NOW - timedelta(days=2))]
    )
]


def explained(permission: str, held: bool, role: str | None, roles: tuple[str, ...], **extra: Any) -> Row:
    beside = {"by": None, "reason": None, "until": None, **extra}
    return Row(permission=permission, held=held, role=role, roles=roles, **beside)


EXPLAINED = [
    explained("tenant:assets:write", True, "operator", ("owner", "admin", "operator")),
    explained(
        "tenant:audit:read",
        True,
        None,
        ("owner", "admin", "auditor"),
        by=PERSON.email,
        reason="Covers for Carola while she is away",
        until=NOW + timedelta(days=9),
    ),
    explained("tenant:keys:read", False, None, ("owner", "admin"), by=PERSON.email, until=NOW - timedelta(days=2)),
    explained("tenant:ownership:write", False, None, ("owner",)),
]
INVITATIONS = [
    Row(
        id=uid(70 + number),
        email=f"{name}@northwind.example",
        role="viewer",
        inviter_label=PERSON.email,
        created_at=NOW - timedelta(days=5 * number),
        sent_at=NOW - timedelta(days=5 * number),
        expires_at=NOW + timedelta(days=7 - 5 * number),
        state="pending" if number < 2 else "expired",
        manageable=number != 1,
    )
    for number, name in enumerate(("dora", "emil.from.the.harbour.office", "frida"))
]
FATES = [
    Row(given="dora@northwind.example", role="viewer", invitation=INVITATIONS[0], problem=None),
    Row(given="dora(at)northwind", role="viewer", invitation=None, problem="Not an e-mail address."),
    Row(
        given="bo@northwind.example", role="admin", invitation=None, problem="bo@northwind.example is a member already."
    ),
]
OFFER = Row(
    giver_label=PERSON.email,
    taker_label="bo@northwind.example",
    steps_down=True,
    created_at=NOW,
    expires_at=NOW + timedelta(days=7),
)
INVITED = Row(
    tenant_name="Northwind Traders",
    role="operator",
    inviter=PERSON.email,
    email="dora@northwind.example",
    expires_at=NOW + timedelta(days=6),
)


ROLES = [
    SelectChoice("viewer", "Viewer: sees, changes nothing"),
    SelectChoice("admin", "Admin: everything but ownership and plan"),
]


class RoleForm(FlaskForm):
    role = SelectField("Role", choices=ROLES)


class ExtraForm(FlaskForm):
    permission = SelectField("Permission", choices=[SelectChoice("tenant:audit:read", "audit: read")])
    last_day = DateField("Last day")
    reason = StringField("Reason", [DataRequired("One line of at most 300 characters")])


class RemovalForm(FlaskForm):
    name = StringField("E-mail address of the member")
    reason = StringField("Reason")


class OfferForm(FlaskForm):
    name = StringField("E-mail address of the member")
    after = SelectField(
        "Afterwards you are", choices=[SelectChoice("admin", "an admin"), SelectChoice("owner", "an owner too")]
    )


class InvitationForm(FlaskForm):
    addresses = TextAreaField("E-mail addresses", [DataRequired("Write at least one address")])
    file = FileField("CSV file")
    role = SelectField("Role", choices=ROLES)


class NewcomerForm(FlaskForm):
    name = StringField("Your name", [DataRequired("Must not be empty")])
    password = PasswordField("Password", [DataRequired("At least 12 characters")])


class NameForm(FlaskForm):
    name = StringField("Name")


def _list(rows: list[Any], **more: Any) -> dict[str, Any]:
    plain = {"rows": rows, "count": len(rows) * 37, "newest": None, "older": "?after=x" if rows else None}
    return {**plain, "filtered": False, "filters": {"q": None, "role": None}, **more}


def _member(manages: bool, extra: FlaskForm | None = None, source: Source | None = None) -> dict[str, Any]:
    return {
        "source": source,
        "member": MEMBERS[1 if manages else 0],
        "manages": manages,
        "ending": ENDING,
        "extras": EXTRAS if manages else [],
        "explained": EXPLAINED,
        "now": NOW,
        "role_form": RoleForm(formdata=None) if manages and (source is None or source.group is None) else None,
        "extra_form": (extra or ExtraForm(formdata=None)) if manages else None,
    }


def _invited(state: str, form: FlaskForm | None = None) -> dict[str, Any]:
    signed_in = {"mine": INVITED.email, "others": PERSON.email}.get(state)
    form = form or NewcomerForm(formdata=None)
    return {"invited": INVITED, "state": state, "signed_in": signed_in, "token": "a" * 43, "form": form}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "settings": ("settings/show.html", lambda: {"facts": FACTS, "form": NameForm(formdata=None, name="Northwind")}),
    "people": (
        "people/index.html",
        lambda: _list(MEMBERS, roles=[("admin", "Admin"), ("viewer", "Viewer")], invited=2),
    ),
    "people-filtered": ("people/index.html", lambda: _list([], roles=[("admin", "Admin")], invited=0, filtered=True)),
    "member": ("people/show.html", lambda: _member(True)),
    "member-extra-invalid": ("people/show.html", lambda: _member(True, invalid(ExtraForm))),
    "member-by-group": ("people/show.html", lambda: _member(True, source=Source(group="Security operators"))),
    "member-by-claim": ("people/show.html", lambda: _member(True, source=Source(claim="realm_access.roles"))),
    "member-own": ("people/show.html", lambda: _member(False)),
    "member-removal": (
        "people/removal.html",
        lambda: {"member": MEMBERS[1], "ending": ENDING, "form": RemovalForm(formdata=None)},
    ),
    "leave": (
        "people/leave.html",
        lambda: {"member": MEMBERS[0], "ending": NOTHING_ENDS, "form": NameForm(formdata=None)},
    ),
    "ownership": ("ownerships/show.html", lambda: {"offer": OFFER, "mine": False}),
    "ownership-mine": ("ownerships/show.html", lambda: {"offer": OFFER, "mine": True}),
    "ownership-none": ("ownerships/show.html", lambda: {"offer": None, "mine": False}),
    "ownership-new": ("ownerships/new.html", lambda: {"member": MEMBERS[1], "form": OfferForm(formdata=None)}),
    "ownership-banner": (
        "ownerships/show.html",
        lambda: {"offer": OFFER, "mine": True, "shell": lambda: Row(tenants=[], offered=True)},
    ),
    "invitations": ("invitations/index.html", lambda: _list(INVITATIONS)),
    "invitations-none": ("invitations/index.html", lambda: _list([])),
    "invitation-new": ("invitations/new.html", lambda: {"form": InvitationForm(formdata=None), "most": 100}),
    "invitation-invalid": ("invitations/new.html", lambda: {"form": invalid(InvitationForm), "most": 100}),
    "invitation-fates": ("invitations/fates.html", lambda: {"fates": FATES, "sent": 1}),
    "acceptance": ("acceptances/show.html", lambda: _invited("mine")),
    "acceptance-others": ("acceptances/show.html", lambda: _invited("others")),
    "acceptance-known": ("acceptances/show.html", lambda: _invited("known")),
    "acceptance-new": ("acceptances/show.html", lambda: _invited("new")),
    "acceptance-invalid": ("acceptances/show.html", lambda: _invited("new", invalid(NewcomerForm))),
    "acceptance-gone": ("acceptances/gone.html", dict),
}
