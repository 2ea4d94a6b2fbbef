"""A member of staff at a browser without scripts, with an authenticator app."""

import re
import secrets
from datetime import UTC, datetime
from html import unescape

import psycopg
import pyotp
from flask import Flask
from werkzeug.test import TestResponse

from app.core.settings import settings
from app.db.units import Units
from app.services import staff
from app.services.accounts import Origin
from app.tenancy.actors import Actor, ActorKind
from tests.peers.visitors import Person

# Who acts in a tenant where staff do something there by a service.
STAFF = Actor(ActorKind.STAFF, None, "Sentinel staff: sam@example.com")
# Whom commands name in tests.
OPS = "ops@example.com"
FACTOR = re.compile(r'name="factor"[^>]*value="([A-Z2-7]+)"')


class StaffMember(Person):
    """Knows the password and the secret of the authenticator app; a code counts once, so the next one may be ahead."""

    def __init__(self, app: Flask, email: str) -> None:
        super().__init__(app, (settings().platform_base_url or "").replace("http://", "https://"))
        self.email = email
        self.password = secrets.token_urlsafe(16)
        self.factor = ""
        self.ahead = 0

    def code(self) -> str:
        """Return a code that was not used before."""
        moment = int(datetime.now(UTC).timestamp()) + 30 * self.ahead
        self.ahead += 1
        return pyotp.TOTP(self.factor).at(moment)

    def enrol(self, token: str) -> TestResponse:
        """Follow the one-use link."""
        page = self.get(f"/welcome/{token}")
        found = FACTOR.search(page.text)
        assert found is not None, page.text
        self.factor = unescape(found.group(1))
        form = {"name": "Stefan Staff", "password": self.password, "factor": self.factor, "code": self.code()}
        return self.post(f"/welcome/{token}", dict(form))

    def listed(self, path: str) -> str:
        """Return all pages of a list, from the first to the last, as one text."""
        pages, following = "", path
        while following:
            text = self.get(following).text
            pages += text
            older = re.search(r'<a[^>]*rel="next"[^>]*href="([^"]+)"', text)
            following = unescape(older.group(1)) if older else ""
        return pages

    def try_to_sign_in(self, password: str | None = None, code: str | None = None) -> TestResponse:
        """Send the sign-in form."""
        self.get("/login")
        form = {"email": self.email, "password": password or self.password, "code": code or self.code()}
        return self.post("/login", dict(form))

    def sign_in(self) -> "StaffMember":
        """Sign in."""
        answer = self.try_to_sign_in()
        assert answer.status_code == 303, answer.text
        return self


def hire(superuser: str, email: str = OPS, *, disabled: bool = False) -> None:
    """Make whoever has the address a member of staff, for commands alone: nobody knows a password."""
    with psycopg.connect(superuser) as connection:
        connection.execute(
            "INSERT INTO auth.staff (id, email, name, password_hash, factor, disabled_at) "
            "VALUES (gen_random_uuid(), %s, 'Ola Ops', 'x', '', CASE WHEN %s THEN now() END) "
            "ON CONFLICT (email) DO UPDATE SET disabled_at = EXCLUDED.disabled_at",
            [email, disabled],
        )


def invited(units: Units, email: str) -> str:
    """Return the token of a new one-use link."""
    with units.identify() as door:
        token = staff.invite(door, email, by="tests", reason="a newcomer", origin=Origin(None, "tests", None))
        door.commit()
    return token


def enrolled(app: Flask, units: Units) -> StaffMember:
    """Return a new member of staff who has followed their link."""
    found = StaffMember(app, f"staff-{secrets.token_hex(4)}@example.com")
    token = invited(units, found.email)
    answer = found.enrol(token)
    assert answer.status_code == 303, answer.text
    return found
