"""A company whose people sign in through its provider, and what becomes of them."""

from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.test import TestResponse

from app.db.units import Home
from app.services import memberships
from tests.peers.federations import come_in
from tests.peers.openid import OpenIdPeer
from tests.peers.tenants import Made
from tests.peers.visitors import Person


@dataclass
class Company:
    """A tenant with its provider, and people who come in by it."""

    made: Made
    peer: OpenIdPeer
    domain: str
    connection_id: object
    newcomer: Callable[[], Person]

    def arrive(self, name: str = "ada", **claims: object) -> tuple[Person, TestResponse]:
        """Somebody of the company signs in; the person and the answer to the way back."""
        person = self.newcomer()
        return person, come_in(person, self.peer, f"sub-{name}-{self.domain}", f"{name}@{self.domain}", **claims)

    def refused(self, reason: str, name: str = "ada", **claims: object) -> None:
        """Somebody is refused with this reason, and nobody is signed in."""
        person, answer = self.arrive(name, **claims)
        assert answer.status_code == 403 and reason in answer.text, answer.text
        assert person.get(f"/t/{self.made.slug}/").status_code == 303
        assert all(row.email != f"{name}@{self.domain}" for row in self.members())

    def members(self) -> list[memberships.Membership]:
        """The members as they stand."""
        with self.made.unit(Home.ACCOUNT) as unit:
            return memberships.list_members(unit).rows

    def role_of(self, name: str) -> str:
        """The role of somebody of the company."""
        return next(row.role for row in self.members() if row.email == f"{name}@{self.domain}")
