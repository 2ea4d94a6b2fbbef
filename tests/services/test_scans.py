"""The verbs of scanning, on a real Postgres."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from app.core.errors import Conflict, NotFound, PermissionDenied
from app.core.permissions import Permission
from app.db.units import Home, Units
from app.models.findings import Finding, FindingSighting
from app.models.trails import Effect
from app.scanners.probes import Artefact, Fault
from app.services import admissions, assets, findings, proofs, scans
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers.tenants import Made

WORKER = system_actor("worker")
FAULT = Fault("csp-missing", "No policy", "medium", "no header", "Send one.", "header content-security-policy", 693)


def queued_text_scan(tenant: Made):
    """Accept a scan of a document, as its owner would."""
    with tenant.unit() as unit:
        asset = assets.add_document(unit, name="Letter", text="My card is 4532-1234-5678-9010")
        scan = scans.start_scan(unit, asset.id, tool="text")
        unit.commit()
    return asset, scan


def test_scan_is_accepted_with_its_outbox_row(tenant: Made) -> None:
    """A scan and the request to dispatch it are one commit."""
    _asset, scan = queued_text_scan(tenant)
    with tenant.unit() as unit:
        kinds = list(unit.session.scalars(select(Effect.kind)))
        assert scans.get_scan(unit, scan.id).status == "queued"
    assert kinds == ["scan.dispatch"]


def test_worker_claims_completes_once(tenant: Made, worker_units: Units) -> None:
    """Admitted, claimed and completed twice, a scan has one set of findings and effects."""
    _asset, scan = queued_text_scan(tenant)
    with tenant_scope(tenant.id):
        for _ in range(2):
            with worker_units.open(Home.CONTENT, WORKER) as unit:
                admitted = admissions.admit_scans(unit)
                unit.commit()
            assert [a.scan_id for a in admitted] == [scan.id]
        for turn in range(2):
            with worker_units.open(Home.CONTENT, WORKER) as unit:
                ticket = scans.claim_scan(unit, scan.id)
                unit.commit()
            assert (ticket is None) == (turn == 2)
            assert ticket is not None and "4532" in (ticket.document or "")
        for _ in range(2):
            with worker_units.open(Home.CONTENT, WORKER) as unit:
                scans.complete_scan(unit, scan.id, Artefact("text", [FAULT, FAULT]))
                unit.commit()
        with worker_units.open(Home.CONTENT, WORKER) as unit:
            assert scans.claim_scan(unit, scan.id) is None
    with tenant.unit() as unit:
        assert unit.session.scalar(select(func.count()).select_from(Finding)) == 1
        assert unit.session.scalar(select(func.count()).select_from(FindingSighting)) == 1
        assert scans.get_scan(unit, scan.id).finding_count == 1
        kinds = sorted(unit.session.scalars(select(Effect.kind)))
    assert kinds == ["graph.scan", "scan.dispatch", "scan.dispatch"]


def test_second_scan_reopens_resolved_keeps_accepted(tenant: Made, worker_units: Units) -> None:
    """A finding seen again is the same row: open if it was resolved, untouched if it was accepted."""
    asset, first = queued_text_scan(tenant)
    other = replace(FAULT, rule="other")
    for status_of_other, number in (("open", 1), ("accepted", 2)):
        if number == 2:
            with tenant.unit() as unit:
                scan = scans.start_scan(unit, asset.id, tool="text")
                unit.commit()
        else:
            scan = first
        with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
            admissions.admit_scans(unit)
            scans.claim_scan(unit, scan.id)
            scans.complete_scan(unit, scan.id, Artefact("text", [FAULT, other]))
            unit.commit()
        with tenant.unit() as unit:
            rows = {row.rule: row for row in findings.list_findings(unit).rows}
            assert {rule: row.status for rule, row in rows.items()} == {FAULT.rule: "open", "other": status_of_other}
            if number == 1:
                findings.triage(unit, rows[FAULT.rule].id, status="resolved")
                findings.triage(unit, rows["other"].id, status="accepted")
                unit.commit()


def test_cap_holds_and_slot_frees(tenant: Made, worker_units: Units) -> None:
    """No more scans are admitted than the plan allows; the next one gets the slot that a cancel frees."""
    ids = [queued_text_scan(tenant)[1].id for _ in range(7)]
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        admitted = [a.scan_id for a in admissions.admit_scans(unit)]
        unit.commit()
    assert admitted == ids[:5]
    with tenant.unit() as unit:
        assert scans.cancel_scan(unit, ids[0]).status == "cancelled"
        unit.commit()
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        assert scans.claim_scan(unit, ids[0]) is None
        assert [a.scan_id for a in admissions.admit_scans(unit)] == ids[1:6]


def test_network_scan_needs_proof(tenant: Made) -> None:
    """An address that is not proven is not scanned; one proof covers it until it expires."""
    with tenant.unit() as unit:
        asset = assets.add_web_asset(unit, name="Shop", address="https://shop.example.com/")
        with pytest.raises(Conflict):
            scans.start_scan(unit, asset.id, tool="posture")
        proof = proofs.get_proof(unit, asset.id)
        proof.proven_at, proof.expires_at = unit.now(), unit.now() + proofs.PROOF_LASTS
        assert scans.start_scan(unit, asset.id, tool="posture").status == "queued"
        proof.expires_at = unit.now()
        with pytest.raises(Conflict):
            scans.start_scan(unit, asset.id, tool="posture")


def test_other_tenants_ids_are_not_found(tenants: Callable[[], Made]) -> None:
    """Another tenant's asset, scan and finding do not exist."""
    one, two = tenants(), tenants()
    asset, scan = queued_text_scan(one)
    with two.unit() as unit:
        for verb in (
            lambda: assets.get_asset(unit, asset.id),
            lambda: scans.get_scan(unit, scan.id),
            lambda: scans.cancel_scan(unit, scan.id),
            lambda: scans.start_scan(unit, asset.id, tool="text"),
        ):
            with pytest.raises(NotFound):
                verb()


def test_viewer_cannot_start(tenant: Made) -> None:
    """Without tenant:scans:write nothing is started."""
    asset, _ = queued_text_scan(tenant)
    viewer = replace(tenant.actor, permissions=frozenset({Permission.SCANS_READ, Permission.ASSETS_READ}))
    with tenant.unit(actor=viewer) as unit, pytest.raises(PermissionDenied):
        scans.start_scan(unit, asset.id, tool="text")


def test_one_target_is_not_scanned_too_often_whoever_asks(
    tenants: Callable[[], Made], worker_units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all tenants a host and port is scanned only so often; what is put off is looked at again."""
    monkeypatch.setattr(admissions, "TARGET_MOST", 3)
    admitted, later = 0, 0
    for number in range(2):
        tenant = tenants()
        with tenant.unit() as unit:
            asset = assets.add_web_asset(unit, name="Shop", address=f"https://busy-{tenant.slug[:1]}.example.com/")
            proof = proofs.get_proof(unit, asset.id)
            proof.proven_at, proof.expires_at = unit.now(), unit.now() + proofs.PROOF_LASTS
            for _ in range(2):
                scans.start_scan(unit, asset.id, tool="posture")
            unit.commit()
        with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
            admitted += len(admissions.admit_scans(unit))
            unit.commit()
        with tenant.unit() as unit:
            due = unit.session.scalars(select(Effect).where(Effect.done_at.is_(None)))
            later += sum(1 for effect in due if effect.due_at > unit.now())
        assert admitted == (2, 3)[number]
    assert later == 1
