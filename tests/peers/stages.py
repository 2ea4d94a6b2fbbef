"""A tenant with all that its routes need, and somebody at each of its entrances, to drive every change once."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask
from werkzeug.test import TestResponse

from app.core.crypto import new_token, token_hash
from app.core.permissions import Role
from app.db import people
from app.db.units import Home, Units
from app.services import invitations, ownerships, scans
from tests.peers.apps import AuthenticatorApp
from tests.peers.authenticators import Authenticator
from tests.peers.directories import Directory
from tests.peers.members import invitation_link, make_member, user_of
from tests.peers.openid import OpenIdPeer
from tests.peers.programs import Program, issue
from tests.peers.tenants import Made
from tests.peers.visitors import Person

Event = tuple[UUID, str, UUID | None]
SOMEBODY_NEW = UUID(int=0)
KEY = re.compile(r'id="totp-key"[^>]*>([A-Z2-7 ]+)<')
SEALED = re.compile(r'name="sealed"[^>]*value="([^"]+)"')
LOGS = (
    "SELECT id, action, actor_id FROM account.audit_events WHERE tenant_id = %(t)s UNION ALL "
    "SELECT id, action, actor_id FROM shared.audit_events WHERE tenant_id = %(t)s"
)


def mark() -> str:
    """Return a word that nothing else is called."""
    return f"x{secrets.token_hex(4)}"


@dataclass
class Stage:
    """What drives changes; `actor` is who makes the next one, `tenant` in whose log it is to be (the stage's: None)."""

    app: Flask
    made: Made
    owner: Person
    program: Program
    directory: Directory
    ids: dict[str, UUID]
    worker_units: Units
    peer: OpenIdPeer
    outside: psycopg.Connection[Any]
    actor: UUID | None = None
    tenant: UUID | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    def events(self) -> set[Event]:
        """Return the events of the tenant's log: id, action, actor."""
        rows = self.outside.execute(LOGS, {"t": self.tenant or self.made.id}).fetchall()
        self.outside.rollback()
        return set(rows)

    def page(self, path: str, by: Person | None = None, /, **form: object) -> TestResponse:
        """Send a form of one of the tenant's pages, as its owner."""
        return (by or self.owner).post(f"/t/{self.made.slug}{path}", form)

    def own(self, path: str, by: Person | None = None, /, **form: object) -> TestResponse:
        """Send a form of one's own pages."""
        return (by or self.owner).post(path, form)

    def api(self, method: str, path: str, /, **told: object) -> TestResponse:
        """Ask a resource as the program."""
        return self.program.ask(method, path, **({"json": told} if told else {}))

    def public(self, path: str, /, **told: object) -> TestResponse:
        """Ask a resource without any credential."""
        return self.program.ask("POST", path, headers={}, json=told)

    def scim(self, method: str, path: str) -> TestResponse:
        """Ask a resource as the directory."""
        return self.directory.ask(method, path, self.directory.sample(method, path))

    def stranger(self) -> Person:
        """Return a browser in which nobody is signed in."""
        return Person(self.app, self.owner.base_url).moved()

    def sign_in(self, made: Made) -> Person:
        """Return the person signed in at a browser of their own; the next change is theirs."""
        person = self.stranger().sign_in(made)
        person.get(f"/t/{self.made.slug}/")
        self.actor = user_of(made)
        return person

    def member(self, role: Role = Role.VIEWER) -> Made:
        """Return another member."""
        return make_member(self.made, role)

    def key(self) -> UUID:
        """Return a key called `tests`."""
        return issue(self.made)[0]

    def invitation(self) -> UUID:
        """Return an open invitation."""
        with self.made.unit(Home.ACCOUNT) as unit:
            found = invitations.invite(unit, f"{mark()}@example.com", Role.VIEWER).id
            unit.commit()
        return found

    def invitation_link(self, email: str) -> str:
        """Return the path of the link that an invitation's mail carries."""
        return invitation_link(self.made, self.worker_units, email)

    def link(self, purpose: str, made: Made) -> str:
        """Return the path of a link of this purpose, as the worker mails it."""
        token, until = new_token(), datetime.now(UTC) + timedelta(hours=1)
        with self.worker_units.identify() as door:
            people.issue_token(door.session, token_hash(token), purpose, user_of(made), made.email, until)
            door.commit()
        self.actor = user_of(made)
        return f"/{purpose}/{token}"

    def scan(self) -> UUID:
        """Return a scan that is queued."""
        with self.made.unit() as unit:
            found = scans.start_scan(unit, self.ids["document_id"], tool="text").id
            unit.commit()
        return found

    def offered(self) -> Person:
        """Return a member, at a browser, to whom the ownership is offered."""
        taker = self.member(Role.ADMIN)
        with self.made.unit(Home.ACCOUNT) as unit:
            ownerships.offer_ownership(unit, user_of(taker), steps_down=False)
            unit.commit()
        return self.sign_in(taker)

    def add_app(self) -> TestResponse:
        """Add an authenticator app to the owner's account."""
        shown = self.owner.get("/account/authenticator").text
        key, sealed = KEY.search(shown), SEALED.search(shown)
        assert key is not None and sealed is not None
        code = AuthenticatorApp(key.group(1)).code(datetime.now(UTC))
        return self.own("/account/authenticator", code=code, sealed=unescape(sealed.group(1)))

    def add_passkey(self) -> TestResponse:
        """Add a passkey to the owner's account."""
        self.owner.get("/account/passkeys/new")
        options = self.own("/account/passkeys/challenge")
        assert options.mimetype == "application/json", options.text
        return self.own("/account/passkeys", name="Ring", credential=Authenticator().create(options.text))

    def one(self, statement: str) -> UUID:
        """Return the one value of a query about the owner, who is its only parameter."""
        row = self.outside.execute(statement.encode(), [self.made.actor.id]).fetchone()
        self.outside.rollback()
        assert row is not None
        return UUID(str(row[0]))
