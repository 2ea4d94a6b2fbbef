"""Programs with a key that ask the application, and what their tenants have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.api.routing import Operation
from app.core.errors import Unauthenticated
from app.core.ids import new_id
from app.core.permissions import KEY_SCOPES, WITHIN_WORKSPACE
from app.core.settings import settings
from app.db.units import Home, Units
from app.scanners.probes import Artefact, Fault
from app.services import (
    admissions,
    api_keys,
    assets,
    entrances,
    key_rotations,
    scans,
    service_accounts,
    workspaces,
)
from app.services.findings import findings_of_scan
from app.services.usage import list_calls
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers.members import stock_people
from tests.peers.tenants import ORIGIN, Made

FAULT = Fault("csp-missing", "No policy", "medium", "no header", "Send one.", "header content-security-policy", 693)


@dataclass(frozen=True)
class Program:
    """A program of a tenant, with its key."""

    client: FlaskClient
    address: str
    tenant: Made
    key_id: UUID
    secret: str

    def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        """Send a request with the key, unless `headers` are given."""
        given = {"X-API-Key": self.secret} if headers is None else headers
        return self.client.open(path, method=method, headers=given, base_url=self.address, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        """Send a GET."""
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> TestResponse:
        """Send a POST."""
        return self.ask("POST", path, **more)

    def write_calls(self) -> None:
        """Have the calls up to now written, as each process does within a second."""
        self.client.application.extensions["sentinel"].call_counts.flush()

    def calls(self) -> list[tuple[str, str, int, str | None]]:
        """Return the rows of the tenant's calls, oldest first: method, endpoint, status, verdict."""
        self.write_calls()
        with self.tenant.unit() as unit:
            rows = list_calls(unit).rows
        return [(row.method, row.endpoint, row.status, row.verdict) for row in reversed(rows)]


def sample(operation: Operation | None) -> dict[str, Any]:
    """Return a body that the operation accepts: each field that must be given by the first of its examples."""
    if operation is None or operation.body is None:
        return {}
    fields = operation.body.model_fields.items()
    return {"json": {name: of.examples[0] for name, of in fields if of.is_required() and of.examples}}


@dataclass(frozen=True)
class Stock:
    """What a tenant has: ids by the name that addresses call them."""

    ids: dict[str, UUID]


def issue(
    made: Made,
    *scopes: str,
    lifetime: timedelta | None = None,
    networks: Sequence[str] = (),
    account_id: UUID | None = None,
    workspace_id: UUID | None = None,
    name: str = "tests",
) -> tuple[UUID, str]:
    """Issue a key of the tenant's owner, or of the service account; all scopes where none is named."""
    pepper = settings().peppers[0]
    with made.unit(Home.ACCOUNT) as unit:
        known = [str(scope) for scope in KEY_SCOPES if workspace_id is None or scope in WITHIN_WORKSPACE]
        wanted = list(scopes) or known
        issued = api_keys.issue_key(
            unit,
            name=name,
            scopes=wanted,
            pepper=pepper,
            lifetime=lifetime,
            networks=networks,
            service_account_id=account_id,
            workspace_id=workspace_id,
        )
        unit.commit()
        return issued.key.id, issued.secret


def make_account(made: Made, *permissions: str) -> UUID:
    """Make a service account of the tenant; with all permissions where none is named."""
    with made.unit(Home.ACCOUNT) as unit:
        wanted = list(permissions) or [str(scope) for scope in KEY_SCOPES]
        account = service_accounts.create_account(unit, name=f"account {new_id().hex[-6:]}", permissions=wanted)
        unit.commit()
        return account.id


def make_workspace(made: Made, name: str = "Staging") -> UUID:
    """Give the tenant another workspace."""
    with made.unit(Home.ACCOUNT) as unit:
        workspace = workspaces.create_workspace(unit, name=name)
        unit.commit()
        return workspace.id


def stock(made: Made, worker_units: Units, workspace_id: UUID | None = None) -> Stock:
    """Give the tenant a web address, a document, a finished scan of it and a finding, and another workspace."""
    with made.unit() as unit:
        site = assets.add_web_asset(unit, name="Shop", address="https://shop.example.com/", workspace_id=workspace_id)
        letter = assets.add_document(
            unit, name="Letter", text="My card is 4532-1234-5678-9010", workspace_id=workspace_id
        )
        scan = scans.start_scan(unit, letter.id, tool="text")
        unit.commit()
    with tenant_scope(made.id), worker_units.open(Home.CONTENT, system_actor("worker")) as unit:
        admissions.admit_scans(unit)
        scans.claim_scan(unit, scan.id)
        scans.complete_scan(unit, scan.id, Artefact("text", [FAULT]))
        unit.commit()
    with made.unit() as unit:
        found = findings_of_scan(unit, scan.id)[0]
    ids = {"asset_id": site.id, "scan_id": scan.id, "finding_id": found.id, "document_id": letter.id}
    ids["key_id"], _secret = issue(made)  # not a program's own, which goes on working when this one is revoked
    return Stock(
        {**ids, **stock_people(made), "workspace_id": workspace_id or make_workspace(made, f"Aside {scan.id}")}
    )


def opens(units: Units, secret: str) -> bool:
    """Tell whether a secret lets its program in."""
    with units.identify() as door:
        try:
            entrances.by_key(door, entrances.find_key(door, secret, peppers=settings().peppers, origin=ORIGIN))
        except Unauthenticated:
            return False
    return True


def rotate(made: Made, key_id: UUID, **given: timedelta) -> str:
    """Rotate a key of the tenant; return the new secret."""
    with made.unit(Home.ACCOUNT) as unit:
        issued = key_rotations.rotate_key(unit, key_id, pepper=settings().peppers[0], **given)
        unit.commit()
    return issued.secret
