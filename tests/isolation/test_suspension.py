"""A suspended tenant: every entrance is refused, its owner still reaches reason, plan and export, its work stops."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from app.core.ids import new_id
from app.core.permissions import Role
from app.core.settings import settings
from app.db.units import Home, Units
from app.models.scans import Scan
from app.outbox.relay import Delivery
from app.scanners.probes import Artefact
from app.services import admissions, assets, effects, email_domains, lifecycles, proofs, quotas, scans
from app.services.effects import WORKER
from app.services.memberships import list_members
from app.services.plans import Quota
from app.tenancy.context import tenant_scope
from app.workflows.records import UnitRecords
from tests.peers.bearers import Bearer
from tests.peers.entrances import LEADS_ELSEWHERE, LEADS_IN, entrances, stays_open, was_refused
from tests.peers.federations import include
from tests.peers.members import invitation_link, make_member
from tests.peers.programs import FAULT
from tests.peers.routes import PUBLIC, path_of
from tests.peers.sides import ask, side_of, signed_in
from tests.peers.staff import STAFF
from tests.peers.tenants import Made
from tests.peers.visitors import Person

# What a transaction can ask to be done after it, and what comes of it in a tenant that is closed.
EFFECTS = {
    "domain.check": "nobody looks",
    "export.sign": "signed: an owner still exports",
    "graph.scan": "drawn: it was recorded before",
    "plan.notice": "told: staff may decide on a plan meanwhile",
    "proof.check": "nobody looks",
    "quota.warning": "told: it was used up before",
    "scan.cancel": "carried out",
    "scan.dispatch": "nothing is admitted or started",
    "tenant.stop": "carried out",
}


def suspend(made: Made, units: Units) -> None:
    """Suspend the tenant as staff do."""
    with tenant_scope(made.id), units.open(Home.ACCOUNT, STAFF) as unit:
        lifecycles.suspend_tenant(unit, "Unpaid <bill>")
        unit.commit()


def address() -> str:
    """Return where the application believes to be served."""
    return settings().base_url.replace("http://", "https://")


def test_every_public_noun_is_known() -> None:
    """What needs no credential of the tenant's leads elsewhere, or is tried below; a new noun must be placed."""
    nouns = {endpoint.split(".")[0] for endpoint in PUBLIC}
    assert nouns == LEADS_IN.keys() | LEADS_ELSEWHERE.keys()


def test_every_entrance_is_refused(app: Flask, tenant: Made, worker_units: Units) -> None:
    """Pages, keys, SCIM and tokens: whatever the routes are, each says that the tenant is suspended."""
    side = side_of(app, address(), tenant, worker_units)
    bearer = Bearer(app.test_client(), address(), tenant)
    assert bearer.login().status_code == 200
    suspend(tenant, worker_units)
    wrong, asked, opened = [], 0, set()
    for rule, method in entrances(app):
        answer = ask(side, rule, method, tenant.slug, side.ids)
        asked += 1
        if stays_open(app, rule):
            opened.add(rule.endpoint)
        elif not was_refused(answer):
            wrong.append((rule.endpoint, method, answer.status_code))
        if getattr(app.view_functions[rule.endpoint], "keyed", False):
            answer = bearer.ask(method, path_of(rule, tenant.slug, side.ids))
            if not was_refused(answer):
                wrong.append((rule.endpoint, method, answer.status_code))
    assert wrong == []
    assert asked > 150
    assert opened == {"closures.show", "closures.end", "exports.show", "exports.create", "plans.show", "plans.compare"}
    assert was_refused(bearer.renew()) and was_refused(bearer.login())


def test_nobody_but_an_owner_reaches_what_stays_open(app: Flask, tenant: Made, worker_units: Units) -> None:
    """Of the pages that an owner still opens an administrator opens none, and is told whom to ask."""
    admin = signed_in(app, address(), make_member(tenant, Role.ADMIN))
    suspend(tenant, worker_units)
    for rule, method in entrances(app):
        if stays_open(app, rule):
            path = path_of(rule, tenant.slug, {})
            answer = admin.get(path) if method == "GET" else admin.post(path)
            assert was_refused(answer) and tenant.email in answer.text, rule.endpoint


def test_an_invitation_leads_nowhere(app: Flask, tenant: Made, worker_units: Units) -> None:
    """A link that was mailed before makes nobody a member, and works again when the tenant does."""
    link = invitation_link(tenant, worker_units, f"i-{tenant.slug}@example.com")
    guest = Person(app, address())
    assert guest.get(link).status_code == 200
    suspend(tenant, worker_units)
    assert guest.get(link).status_code == 404
    guest.get("/login")
    for path in ("", "/account", "/sign-out"):
        told = {"name": "Gustav", "password": "a kettle on the northern shore"}
        assert guest.post(f"{link}{path}", dict(told)).status_code in (303, 404), path
    with tenant.unit(Home.ACCOUNT) as unit:
        assert [row.email for row in list_members(unit).rows] == [tenant.email]


def requested_kinds() -> set[str]:
    """Return every kind of effect that a transaction asks for, from the code."""
    found: list[str] = []
    for path in Path("app").rglob("*.py"):
        text = path.read_text().replace("def request_effect(", "")
        kinds = re.findall(r'request_effect\(\s*\w+,\s*"([a-z.]+)"', text)
        assert len(kinds) == text.count("request_effect("), f"{path}: an effect of a kind that is not written out"
        found += kinds
    return set(found)


def test_every_effect_is_known() -> None:
    """A new kind of effect must say what comes of it while the tenant is closed."""
    assert requested_kinds() == EFFECTS.keys()


@pytest.fixture
def working(tenant: Made, worker_units: Units) -> list[UUID]:
    """Scans of a tenant: one that runs, one that is admitted, one in line; the tenant is suspended then."""
    with tenant.unit() as unit:
        letter = assets.add_document(unit, name="Letter", text="hello")
        made = [scans.start_scan(unit, letter.id, tool="text").id for _ in range(2)]
        unit.commit()
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        admissions.admit_scans(unit)
        assert scans.claim_scan(unit, made[0]) is not None
        unit.commit()
    with tenant.unit() as unit:
        made.append(scans.start_scan(unit, letter.id, tool="text").id)
        unit.commit()
    suspend(tenant, worker_units)
    return made


def states(made: Made, ids: list[UUID]) -> list[str]:
    """Return how the scans stand."""
    with made.unit() as unit:
        found = {row.id: row.status for row in unit.session.scalars(select(Scan))}
    return [found[each] for each in ids]


def test_its_scans_are_cancelled(tenant: Made, worker_units: Units, working: list[UUID]) -> None:
    """Running, admitted and waiting ones, once; the month's scans that they had taken are given back."""
    with tenant_scope(tenant.id):
        effects.tenant_stops(worker_units)(Delivery(tenant.id, new_id(), "tenant.stop", {}, 1))
    assert states(tenant, working) == ["cancelled"] * 3
    with tenant.unit() as unit:
        assert quotas.used_of(unit, Quota.SCANS)[0] == 0


def test_a_worker_that_knew_of_nothing_stops_too(tenant: Made, worker_units: Units, working: list[UUID]) -> None:
    """What it claims, what it brings back and what it would admit ends as cancelled, and nothing is started."""
    records = UnitRecords(worker_units)
    with tenant_scope(tenant.id):
        assert records.claim(working[1]) is None
        records.complete(working[0], Artefact("text", [FAULT]))
        assert states(tenant, working) == ["cancelled", "cancelled", "queued"]
        assert records.admit(new_id()) == []
        assert records.claim(working[2]) is None
    assert states(tenant, working) == ["cancelled"] * 3


def test_nobody_looks_for_its_proofs(tenant: Made, worker_units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed tenant steers no traffic of ours: neither a target nor the record of a domain is looked for."""
    with tenant.unit() as unit:
        asset_id = assets.add_web_asset(unit, name="Shop", address="https://shop.example.com/").id
        unit.commit()
    include(tenant)
    with tenant.unit(Home.ACCOUNT) as unit:
        domain_id = email_domains.add_domain(unit, f"{tenant.slug}.example").id
        unit.commit()
    suspend(tenant, worker_units)
    looked: list[object] = []
    monkeypatch.setattr(proofs, "look_for_proof", lambda *given: looked.append(given) or [])
    monkeypatch.setattr(effects, "check_dns", lambda *given: looked.append(given) or [])
    with tenant_scope(tenant.id):
        told = {"asset_id": str(asset_id), "domain_id": str(domain_id)}
        for kind, handler in (("proof.check", effects.proof_checks), ("domain.check", effects.domain_checks)):
            handler(worker_units)(Delivery(tenant.id, new_id(), kind, told, 1))
    assert looked == []
