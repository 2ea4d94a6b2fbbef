"""Export everything, at a browser without scripts."""

import json
from collections.abc import Callable, Iterator

import pytest

from app.db.units import Home, Units
from app.models.tenants import Tenant
from app.services import exports
from tests.peers.archives import signing, unpacked
from tests.peers.tenants import Made
from tests.peers.visitors import Person
from tests.services.test_entrances import demote


@pytest.fixture
def owner(newcomer: Callable[[], Person], tenant: Made, worker_units: Units) -> Iterator[Person]:
    """The owner of `tenant`, while a worker signs."""
    person = newcomer().sign_in(tenant)
    with signing(worker_units):
        yield person


def close(tenant: Made, status: str) -> None:
    """Put the tenant into a status, with a reason."""
    with tenant.unit(Home.ACCOUNT) as unit:
        row = unit.session.get_one(Tenant, tenant.id)
        row.status, row.status_reason, row.suspended_at = status, "Unpaid <bill>", unit.now()
        unit.commit()


@pytest.mark.parametrize("status", ["trial", "suspended", "deleted"])
def test_an_owner_takes_everything_out(owner: Person, tenant: Made, status: str) -> None:
    """The button answers an archive with its list of files, also in a tenant that is closed; the page shows it."""
    close(tenant, status)
    assert "Nothing was exported yet" in owner.get(owner.at("/settings/export")).text
    answer = owner.post(owner.at("/settings/export"))
    assert answer.status_code == 200 and answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="sentinel-{tenant.slug}-')
    assert json.loads(unpacked(answer.data)["manifest.json"])["key"].endswith("/.well-known/sentinel-audit-key")
    page = owner.get(owner.at("/settings/export")).text
    assert "Complete" in page and tenant.email in page
    assert ("Unpaid &lt;bill&gt;" in page) is (status != "trial")


def test_nobody_else_takes_anything_out(owner: Person, tenant: Made) -> None:
    """An administrator is refused, in a tenant that works as in one that is closed, which tells whom to ask."""
    page = owner.at("/settings/export")
    owner.get(page)
    demote(tenant)
    assert (owner.get(page).status_code, owner.post(page).status_code) == (403, 403)
    close(tenant, "suspended")
    refused = owner.get(page)
    assert (
        refused.status_code == 403 and "other@example.com" in refused.text and "Export everything" not in refused.text
    )
    assert owner.post(page).status_code == 403


def test_a_second_one_waits(owner: Person, tenant: Made) -> None:
    """While one runs the page answers 409 and says so."""
    owner.get(owner.at("/settings/export"))
    with tenant.unit(Home.ACCOUNT) as unit:
        exports.begin_export(unit)
        unit.commit()
    refused = owner.post(owner.at("/settings/export"))
    assert refused.status_code == 409 and "runs already" in refused.text


def test_a_closed_tenant_leads_its_owner_to_plan_and_export(owner: Person, tenant: Made) -> None:
    """The page says why and since when, and leads to both, which lead nowhere that is refused."""
    close(tenant, "suspended")
    refused = owner.get(owner.at("/"))
    assert refused.status_code == 403 and "Unpaid &lt;bill&gt;" in refused.text and "Since" in refused.text
    for path in ("/plan", "/plan/comparison", "/settings/export"):
        assert owner.get(owner.at(path)).status_code == 200
    plan = owner.get(owner.at("/plan")).text
    assert f'href="{owner.at("/plan/comparison")}"' in plan and f'href="{owner.at("/settings/export")}"' in refused.text
    for path in ("/scans", "/usage", "/people", "/keys"):
        assert f'href="{owner.at(path)}"' not in plan
    demote(tenant)
    assert owner.get(owner.at("/plan")).status_code == 403


def test_whoever_deletes_a_suspended_tenant_restores_it_suspended(owner: Person, tenant: Made) -> None:
    """A deletion between is no way out of a suspension, and its reason is told again."""
    with tenant.unit(Home.ACCOUNT) as unit:
        row = unit.session.get_one(Tenant, tenant.id)
        row.suspended_at, row.suspended_reason, row.status = unit.now(), "Unpaid <bill>", "deleted"
        row.deleted_at = row.purge_at = unit.now()
        unit.commit()
    assert owner.get(owner.at("/restoration")).status_code == 200
    assert owner.post(owner.at("/restoration")).status_code == 303
    refused = owner.get(owner.at("/"))
    assert refused.status_code == 403 and "is suspended" in refused.text and "Unpaid &lt;bill&gt;" in refused.text
