"""An identity provider that keeps a tenant in step by SCIM, with the requests that Entra and Okta send."""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.core.settings import settings
from app.db.units import Home
from app.models.connections import EmailDomain
from app.models.tenants import Tenant
from app.services import scim_tokens
from tests.peers.tenants import Made

MEDIA = "application/scim+json"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def prove_domain(made: Made, domain: str) -> None:
    """Let the tenant have proven a domain."""
    with made.unit(Home.ACCOUNT) as unit:
        now = unit.now()
        unit.session.add(EmailDomain(domain=domain, token="0" * 32, created_at=now, verified_at=now, attempts=[]))
        unit.commit()


def choose_plan(made: Made, plan: str) -> None:
    """Put the tenant on a plan, its trial over."""
    with made.unit(Home.ACCOUNT) as unit:
        unit.session.execute(update(Tenant).values(status="active", plan=plan))
        unit.commit()


def issue_token(made: Made) -> scim_tokens.IssuedScimToken:
    """Issue a token of the tenant's owner."""
    with made.unit(Home.ACCOUNT) as unit:
        issued = scim_tokens.issue_token(unit, pepper=settings().peppers[0])
        unit.commit()
        return issued


@dataclass(frozen=True)
class Directory:
    """An identity provider with a token of a tenant."""

    client: FlaskClient
    address: str
    made: Made
    domain: str
    token_id: Any
    secret: str

    def ask(self, method: str, path: str, told: Any = None, **more: Any) -> TestResponse:
        """Send a request with the token, unless `headers` are given."""
        headers = more.pop("headers", {"Authorization": f"Bearer {self.secret}"})
        given = {} if told is None else {"json": told, "content_type": MEDIA}
        return self.client.open(
            f"/scim/v2{path}", method=method, headers=headers, base_url=self.address, **given, **more
        )

    def sample(self, method: str, rule: str) -> dict[str, Any] | None:
        """Return a body that a resource accepts."""
        if method in ("GET", "DELETE"):
            return None
        if method == "PATCH":
            return {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "displayName", "value": "Sample"}]}
        mark = secrets.token_hex(4)
        return self.user(mark) if "/Users" in rule else {"schemas": [GROUP], "displayName": mark}

    def at(self, name: str) -> str:
        """Return an address of the tenant's domain."""
        return f"{name}@{self.domain}"

    def user(self, name: str, **more: Any) -> dict[str, Any]:
        """Return a user as Entra creates one."""
        return {
            "schemas": [USER, ENTERPRISE],
            "externalId": f"x-{name}",
            "userName": self.at(name),
            "active": True,
            "displayName": name.title(),
            "emails": [{"primary": True, "type": "work", "value": self.at(name)}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": f"{name.title()} Doe", "familyName": "Doe", "givenName": name.title()},
            "roles": [],
            ENTERPRISE: {"department": "Tests"},
            **more,
        }

    def create(self, name: str, **more: Any) -> dict[str, Any]:
        """Create a user; return what was told."""
        answer = self.ask("POST", "/Users", self.user(name, **more))
        assert answer.status_code == 201, answer.text
        return dict(answer.json or {})

    def create_owner(self) -> dict[str, Any]:
        """Provision the tenant's owner."""
        email = self.made.email
        return self.create("owner", userName=email, emails=[{"value": email, "primary": True}])

    def group(self, name: str, *members: str) -> dict[str, Any]:
        """Create a group with members by id; return what was told."""
        told = {"schemas": [GROUP], "displayName": name, "members": [{"value": one} for one in members]}
        answer = self.ask("POST", "/Groups", told)
        assert answer.status_code == 201, answer.text
        return dict(answer.json or {})

    def patch(self, path: str, *operations: dict[str, Any]) -> TestResponse:
        """Send operations."""
        return self.ask("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})


def directory_of(made: Made, client: FlaskClient, address: str) -> tuple[Directory, dict[str, UUID]]:
    """Give a tenant an identity provider, which has sent somebody and a group; return the ids by name in addresses."""
    domain = f"d-{secrets.token_hex(4)}.example.org"
    choose_plan(made, "enterprise")
    prove_domain(made, domain)
    issued = issue_token(made)
    directory = Directory(client, address, made, domain, issued.token.id, issued.secret)
    person = directory.create("ada")
    group = directory.group("Staff", person["id"])
    named = {"scim_person_id": UUID(person["id"]), "scim_group_id": UUID(group["id"])}
    return directory, {**named, "scim_token_id": issued.token.id}
