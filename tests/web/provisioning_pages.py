"""The pages of provisioning with sample data, for the gallery."""

from collections.abc import Callable
from types import SimpleNamespace as Row
from typing import Any

from flask_wtf import FlaskForm
from wtforms import StringField

from tests.web import samples as s

ROUTES = {
    "provisionings.show": "/sign-in/provisioning",
    "provisionings.people": "/sign-in/provisioning/people",
    "provisionings.issue": "/sign-in/provisioning/tokens",
    "provisionings.revocation": "/sign-in/provisioning/tokens/<scim_token_id>",
    "provisionings.revoke": "/sign-in/provisioning/tokens/<scim_token_id>/",
    "provisionings.map_role": "/sign-in/provisioning/groups/<scim_group_id>",
}
ADDRESS = "https://sentinel.northwind.example/scim/v2"
SECRET = "sntl_scim_2Qv7dLwZk0xYb9TnR4mHs8uEaJ3fPc1G5yK"
ROLES = ["admin", "operator", "auditor", "viewer"]


class HintForm(FlaskForm):
    name = StringField("Beginning of the token")


def _token(number: int, **more: Any) -> Row:
    plain = {
        "id": s.uid(800 + number),
        "hint": SECRET[:14],
        "created_at": s.before(days=30),
        "created_by": s.PERSON.email,
        "used_at": s.before(minutes=12),
    }
    return Row(**{**plain, **more})


def standing(*tokens: Row, included: bool = True) -> Row:
    """How provisioning stands."""
    synced = s.before(minutes=12) if tokens else None
    return Row(
        included=included,
        tokens=tokens,
        synced_at=synced,
        people=412 if tokens else 0,
        groups=3 if tokens else 0,
    )


ON = standing(_token(1), _token(2, hint="sntl_scim_9xKe", created_at=s.before(minutes=3), used_at=None))
OFF = standing()
GROUPS = [
    Row(id=s.uid(820), name="Security engineering", role="operator", members=38),
    Row(id=s.uid(821), name="Platform administrators of the northern region", role="admin", members=4),
    Row(id=s.uid(822), name="Everybody", role="", members=1_412),
]
PEOPLE = [
    Row(
        id=s.uid(830 + number),
        user_name=f"{name}@northwind.example",
        address=f"{name}@northwind.example",
        external_id=external,
        changed_at=s.before(hours=number + 1),
        role=role,
    )
    for number, (name, external, role) in enumerate(
        [("ada.lindqvist", "00u1abcd2efGHIJKL3m4", "admin"), ("bo.aaberg", None, "viewer"), ("cy.moe", "00u9", None)]
    )
]


def _page(shown: Row, rows: list[Row], domains: int = 1) -> dict[str, Any]:
    listed = {"rows": rows, "count": len(rows), "newest": None, "older": None, "filters": {}, "filtered": False}
    return {**listed, "standing": shown, "address": ADDRESS, "roles": ROLES, "domains": domains}


def _people(rows: list[Row]) -> dict[str, Any]:
    return {"rows": rows, "count": len(rows), "newest": None, "older": None, "filters": {}, "filtered": False}


def _created() -> dict[str, Any]:
    curl = f"curl '{ADDRESS}/Users?count=1' \\\n  -H 'Authorization: Bearer {SECRET}'"
    return {"address": ADDRESS, "secret": SECRET, "curl": curl}


PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "provisioning": ("provisionings/show.html", lambda: _page(ON, GROUPS)),
    "provisioning-off": ("provisionings/show.html", lambda: _page(OFF, [], domains=0)),
    "provisioning-not-included": ("provisionings/show.html", lambda: _page(standing(included=False), [])),
    "provisioned-people": ("provisionings/people.html", lambda: _people(PEOPLE)),
    "provisioned-nobody": ("provisionings/people.html", lambda: _people([])),
    "scim-token": ("provisionings/created.html", _created),
    "scim-token-revocation": (
        "provisionings/revocation.html",
        lambda: {"token": _token(1), "form": HintForm(formdata=None)},
    ),
}
