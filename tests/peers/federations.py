"""Tenants whose people sign in through a provider, set up by the services themselves."""

import re
import secrets
import tempfile
from html import unescape
from pathlib import Path
from uuid import UUID

from werkzeug.test import TestResponse

from app.core.clock import SystemClock
from app.db.units import Home, Units
from app.models.tenants import Tenant
from app.scanners.ownership import Attempt, Method
from app.services import connections, email_domains, role_maps, trials
from app.services.trials import Trial
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers.letters import Letters
from tests.peers.openid import OpenIdPeer
from tests.peers.tenants import Made
from tests.peers.visitors import Person

ONWARD = re.compile(r'id="onward" href="([^"]+)"')


def include(made: Made, plan: str = "enterprise") -> None:
    """Give the tenant a plan; this one includes single sign-on."""
    with made.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, made.id).plan = plan
        unit.commit()


def prove(made: Made, worker_units: Units, domain: str) -> UUID:
    """Add a domain to the tenant, whose plan has them, and let the worker find its record."""
    include(made)
    with made.unit(Home.ACCOUNT) as unit:
        added = email_domains.add_domain(unit, domain).id
        unit.commit()
    find_record(made, worker_units, added)
    return added


def find_record(made: Made, worker_units: Units, domain_id: UUID) -> None:
    """Let the worker find a domain's record."""
    seen = Attempt(Method.DNS, "192.0.2.53", True, "found", SystemClock().now())
    with tenant_scope(made.id), worker_units.open(Home.ACCOUNT, system_actor("worker")) as unit:
        email_domains.note_attempts(unit, domain_id, [seen])
        unit.commit()


def connect(made: Made, worker_units: Units, peer: OpenIdPeer, domain: str, **roles: object) -> UUID:
    """Connect the tenant to the peer, tested and switched on, with one proven domain; return the connection's id."""
    include(made)
    prove(made, worker_units, domain)
    with made.unit(Home.ACCOUNT) as unit:
        connections.start_connection(unit)
        found = connections.save_connection(
            unit, issuer=peer.issuer, client_id="client-1", secret=peer.secrets["client-1"]
        )
        if roles:
            role_maps.save_roles(unit, **roles)  # type: ignore[arg-type]
        trials.note_trial(unit, Trial(None, email=made.email))
        connections.switch_on(unit)
        unit.commit()
        return found.id


def domain() -> str:
    """A domain that no other test has."""
    return f"d-{secrets.token_hex(4)}.example"


def onward(answer: TestResponse) -> str:
    """The provider's address that a page of departure leads to."""
    assert answer.status_code == 200, answer.text
    found = ONWARD.search(answer.text)
    assert found is not None, answer.text
    url = unescape(found.group(1))
    assert answer.headers["Refresh"] == f"0; url={url}"
    return url


def depart(person: Person, email: str, **more: object) -> str:
    """Type an address; return the provider's address that one is led to."""
    person.get("/sso")
    return onward(person.post("/sso", {"email": email, **more}))


def come_in(person: Person, peer: OpenIdPeer, subject: str, email: str, **claims: object) -> TestResponse:
    """Sign in through the provider as somebody; return the answer to the way back."""
    return person.get(peer.sign_in(depart(person, email), subject, email, **claims))


def mailed_link(person: Person, worker_units: Units, email: str) -> str:
    """Ask for a mail that links the account of this address; return the path of the link in it."""
    person.get("/sso/link")
    assert person.post("/sso/link/mail").location == "/sso/link"
    with tempfile.TemporaryDirectory(prefix="letters-") as name:
        return Letters(worker_units, Path(name)).link(email)
