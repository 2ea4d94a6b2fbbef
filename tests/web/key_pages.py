"""The gallery's pages of API keys and service accounts, and the routes that they link to."""

from collections.abc import Callable
from types import SimpleNamespace as Row
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, HiddenField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired
from wtforms.widgets import CheckboxInput, ListWidget

from app.services.key_ceilings import Ceiling
from app.web.key_hygiene import TITLES
from tests.web import samples as s
from tests.web.contexts import invalid

SCOPES = [SelectChoice("tenant:guard:process", "guard: process"), SelectChoice("tenant:scans:read", "scans: read")]
NOTES = {"tenant:guard:process": "Check texts"}
ROUTES = {
    "keys.index": "/keys",
    "keys.new": "/keys/new",
    "keys.create": "/keys/",
    "keys.show": "/keys/<key_id>",
    "keys.change": "/keys/<key_id>/",
    "keys.revocation": "/keys/<key_id>/revocation",
    "keys.revoke": "/keys/<key_id>/revocation/",
    "key_rotations.new": "/keys/<key_id>/rotation",
    "key_rotations.create": "/keys/<key_id>/rotation/",
    "key_rotations.overlap": "/keys/<key_id>/overlap",
    "key_rotations.end": "/keys/<key_id>/overlap/",
    "key_hygiene.index": "/keys/hygiene",
    "key_hygiene.revocations": "/keys/revocations",
    "key_hygiene.revoke": "/keys/revocations/",
    "key_ceilings.edit": "/keys/ceiling",
    "key_ceilings.update": "/keys/ceiling/",
    "service_accounts.index": "/service-accounts",
    "service_accounts.new": "/service-accounts/new",
    "service_accounts.create": "/service-accounts/",
    "service_accounts.show": "/service-accounts/<account_id>",
    "service_accounts.change": "/service-accounts/<account_id>/",
    "service_accounts.disable": "/service-accounts/<account_id>/disabling",
    "service_accounts.enable": "/service-accounts/<account_id>/enabling",
    "service_accounts.deletion": "/service-accounts/<account_id>/deletion",
    "service_accounts.delete": "/service-accounts/<account_id>/deletion/",
}


class KeyForm(FlaskForm):
    name = StringField("Name", [DataRequired("Name what will use it")])
    owner = SelectField("Belongs to", choices=[SelectChoice("", f"you, {s.PERSON.email}")])
    scopes = SelectMultipleField(
        "Scopes",
        [DataRequired("Choose one or more")],
        choices=SCOPES,
        widget=ListWidget(),
        option_widget=CheckboxInput(),
    )
    workspace_id = SelectField("Workspace", choices=[(s.uid(700), "Default"), (s.uid(701), "Staging")])
    lifetime = SelectField("Expires", choices=[SelectChoice("90", "in 90 days"), SelectChoice("", "never")])
    last_day = DateField("Last day")
    networks = TextAreaField("Networks")
    calls_per_minute = StringField("Calls per minute")


class KeyChangeForm(FlaskForm):
    name = StringField("Name", [DataRequired("Must not be empty")])
    networks = TextAreaField("Networks")
    calls_per_minute = StringField("Calls per minute")


class RotationForm(FlaskForm):
    overlap = SelectField(
        "The old secret works for", choices=[SelectChoice("24", "24 hours more"), SelectChoice("0", "no longer")]
    )
    lifetime = SelectField(
        "The key ends", choices=[SelectChoice("", "as before: on 2 January 2027"), SelectChoice("90", "in 90 days")]
    )


class AccountForm(FlaskForm):
    name = StringField("Name", [DataRequired("Must not be empty")])
    permissions = SelectMultipleField("Permissions", choices=SCOPES, widget=ListWidget(), option_widget=CheckboxInput())


class RevocationsForm(FlaskForm):
    name = StringField("Words")
    chosen = HiddenField()


class CeilingForm(FlaskForm):
    most_days = StringField("Longest life in days", [DataRequired("From 1 to 1,830, or empty")])
    expiry_required = BooleanField("Keys must expire")


class NameForm(FlaskForm):
    name = StringField("Name")


def _beyond(shown: dict[str, Any]) -> dict[str, Any]:
    return {**shown, "key": Row(**{**vars(shown["key"]), "beyond_plan": True})}


def _key(number: int, form: FlaskForm, old: Row | None = None) -> dict[str, Any]:
    shown = {"chart": s.CHARTS[0][0], "days": 30, "callers": [] if number else s.CALLERS, "old": old}
    return {"key": s.KEYS[number], "form": form, **shown}


def _account(number: int, form: FlaskForm) -> dict[str, Any]:
    keys = [] if number else s.KEYS[:2]
    return {"account": s.SERVICE_ACCOUNTS[number], "keys": keys, "form": form, "notes": NOTES}


def _rotation(number: int, old: Row | None, shortened: object) -> dict[str, Any]:
    return {"key": s.KEYS[number], "old": old, "shortened": shortened, "form": RotationForm(formdata=None)}


def _hygiene(keys: list[Row], *, more: bool) -> dict[str, Any]:
    groups = []
    for name, (title, note) in TITLES.items():
        old = s.before(hours=3) if name == "overlap" else None
        detail = "scans: write, findings: read" if name == "unused-scopes" else ""
        rows = [Row(**{**vars(key), "detail": detail, "old_used_at": old}) for key in keys]
        groups.append(Row(name=str(name), title=title, note=note, rows=rows, count=len(rows) + (17 if more else 0)))
    return {"groups": groups, "looked_at": 1000, "more": more}


def _list(rows: list[Row], most_days: int | None = None) -> dict[str, Any]:
    ceiling = Ceiling(most_days, False)
    return {"rows": rows, "older": None, "base_url": "https://sentinel.example", "ceiling": ceiling}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "keys": ("keys/index.html", lambda: _list(s.KEYS, 90)),
    "keys-empty": ("keys/index.html", lambda: _list([])),
    "key-new": (
        "keys/new.html",
        lambda: {"form": KeyForm(formdata=None), "notes": {"tenant:guard:process": "Check texts"}},
    ),
    "key-invalid": ("keys/new.html", lambda: {"form": invalid(KeyForm), "notes": {}}),
    "key-created": (
        "keys/created.html",
        lambda: {
            "key_id": s.uid(400),
            "name": "Checkout service",
            "secret": "sen_live_4fJ2mQ9xT7vRz1kLp8Yw3cNb6hDs0aGe_1f9a",
            "old_ends_at": None,
            "curl": "curl https://sentinel.example/api/v1/process \\\n  -H 'Authorization: Bearer sen_live_…' \\\n"
            '  -H \'Content-Type: application/json\' \\\n  -d \'{"user_input": "hello", "user_id": "u1"}\'',
        },
    ),
    "key": ("keys/show.html", lambda: _key(0, KeyChangeForm(formdata=None, name=s.KEYS[0].name))),
    "key-rotated": (
        "keys/created.html",
        lambda: {
            "key_id": s.uid(400),
            "name": "Checkout service",
            "secret": "sen_live_4fJ2mQ9xT7vRz1kLp8Yw3cNb6hDs0aGe_1f9a",
            "curl": "curl https://sentinel.example/api/v1/scans -H 'Authorization: Bearer sen_live_…'",
            "old_ends_at": s.OLD_SECRET.ends_at,
        },
    ),
    "key-beyond": ("keys/show.html", lambda: _beyond(_key(0, KeyChangeForm(formdata=None)))),
    "key-overlapping": ("keys/show.html", lambda: _key(0, KeyChangeForm(formdata=None), s.OLD_SECRET)),
    "key-overlapping-quiet": ("keys/show.html", lambda: _key(1, KeyChangeForm(formdata=None), s.OLD_SECRET_QUIET)),
    "key-rotation": (
        "key_rotations/new.html",
        lambda: {
            "key": s.KEYS[1],
            "old": s.OLD_SECRET,
            "shortened": s.OLD_SECRET.ends_at,
            "form": RotationForm(formdata=None),
        },
    ),
    "key-rotation-revoked": (
        "key_rotations/new.html",
        lambda: _rotation(2, None, None),
    ),
    "key-overlap": (
        "key_rotations/overlap.html",
        lambda: {"key": s.KEYS[0], "old": s.OLD_SECRET, "form": NameForm(formdata=None)},
    ),
    "key-overlap-none": (
        "key_rotations/overlap.html",
        lambda: {"key": s.KEYS[0], "old": None, "form": NameForm(formdata=None)},
    ),
    "key-change-invalid": ("keys/show.html", lambda: _key(1, invalid(KeyChangeForm))),
    "key-revoked": ("keys/show.html", lambda: _key(2, KeyChangeForm(formdata=None))),
    "key-revocation": ("keys/revocation.html", lambda: {"key": s.KEYS[0], "form": NameForm(formdata=None)}),
    "key-hygiene": ("key_hygiene/index.html", lambda: _hygiene(s.KEYS[:2], more=True)),
    "key-hygiene-clean": ("key_hygiene/index.html", lambda: {"groups": [], "looked_at": 3, "more": False}),
    "key-hygiene-empty": ("key_hygiene/index.html", lambda: {"groups": [], "looked_at": 0, "more": False}),
    "key-revocations": (
        "key_hygiene/revocations.html",
        lambda: {"keys": s.KEYS[:2], "words": "revoke 2", "form": RevocationsForm(formdata=None, chosen="x")},
    ),
    "key-ceiling": ("key_ceilings/edit.html", lambda: {"form": CeilingForm(formdata=None, most_days=90)}),
    "key-ceiling-invalid": ("key_ceilings/edit.html", lambda: {"form": invalid(CeilingForm)}),
    "service-accounts": ("service_accounts/index.html", lambda: {"rows": s.SERVICE_ACCOUNTS, "older": None}),
    "service-accounts-empty": ("service_accounts/index.html", lambda: {"rows": [], "older": None}),
    "service-account-new": (
        "service_accounts/new.html",
        lambda: {"form": invalid(AccountForm), "notes": NOTES},
    ),
    "service-account": (
        "service_accounts/show.html",
        lambda: _account(0, AccountForm(formdata=None, name=s.SERVICE_ACCOUNTS[0].name)),
    ),
    "service-account-disabled": ("service_accounts/show.html", lambda: _account(1, AccountForm(formdata=None))),
    "service-account-deletion": (
        "service_accounts/deletion.html",
        lambda: {"account": s.SERVICE_ACCOUNTS[0], "form": NameForm(formdata=None)},
    ),
}
