"""Workspaces: what they keep apart, their life, and their settings."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.core.errors import Conflict, Invalid, NotFound, QuotaExceeded
from app.core.ids import new_id
from app.core.permissions import KEY_SCOPES
from app.db.units import Home, Units
from app.models.assets import Asset
from app.models.findings import Finding
from app.models.scans import Engagement, Scan
from app.models.workspaces import Workspace
from app.scanners.guard import DEFAULT
from app.services import admissions, assets, audit, configurations, finding_counts, findings, scans, usage, workspaces
from app.services.configurations import Source
from app.tenancy.actors import Actor, ActorKind, system_actor
from app.tenancy.context import tenant_scope
from tests.peers.programs import make_workspace, stock
from tests.peers.tenants import Made


def kept_to(workspace_id: object) -> Actor:
    """A key of the workspace, with all scopes."""
    scopes = frozenset(str(scope) for scope in KEY_SCOPES)
    return Actor(ActorKind.KEY, new_id(), "key", scopes, workspace_id=workspace_id)  # type: ignore[arg-type]


def test_every_tenant_has_a_default_workspace(tenant: Made) -> None:
    """It has the tenant's own id, and what names no workspace goes there."""
    with tenant.unit(Home.ACCOUNT) as unit:
        rows = workspaces.list_workspaces(unit).rows
        assert [(row.id, row.name) for row in rows] == [(tenant.id, "Default")]
    with tenant.unit() as unit:
        asset = assets.add_document(unit, name="Letter", text="x")
        scan = scans.start_scan(unit, asset.id, tool="text")
        engagement = unit.session.get_one(Engagement, (tenant.id, scan.engagement_id))
        assert {asset.workspace_id, scan.workspace_id, engagement.workspace_id} == {tenant.id}


def test_a_key_finds_nothing_of_another_workspace(tenant: Made, worker_units: Units) -> None:
    """What another workspace has is not found, listed, counted or changed, by whichever verb."""
    other = make_workspace(tenant)
    ids = stock(tenant, worker_units).ids
    with tenant.unit(actor=kept_to(other)) as unit:
        assert assets.list_assets(unit, counted=True).count == 0
        assert scans.list_scans(unit).rows == [] and findings.list_findings(unit).rows == []
        assert scans.list_scans(unit, workspace_id=tenant.id).rows == []
        assert sum(finding_counts.count_open(unit).values()) == 0
        assert {name: each.total for name, each in usage.daily(unit).items()} == {"calls": 0, "scans": 0, "findings": 0}
        assert findings.findings_of_scan(unit, ids["scan_id"]) == []
        for verb in (
            lambda: assets.get_asset(unit, ids["asset_id"]),
            lambda: scans.get_scan(unit, ids["scan_id"]),
            lambda: scans.start_scan(unit, ids["document_id"], tool="text"),
            lambda: scans.cancel_scan(unit, ids["scan_id"]),
            lambda: findings.get_finding(unit, ids["finding_id"]),
            lambda: findings.triage(unit, ids["finding_id"], status="accepted"),
            lambda: assets.archive_asset(unit, ids["asset_id"]),
        ):
            with pytest.raises(NotFound):
                verb()
        assert unit.session.scalars(select(Engagement)).all() == []
    with tenant.unit(actor=kept_to(tenant.id)) as unit:
        assert len(assets.list_assets(unit).rows) == 2 and len(scans.list_scans(unit).rows) == 1


def test_a_key_writes_into_its_own_workspace(tenant: Made) -> None:
    """What a key adds belongs to its workspace, whatever else it asks for; a person chooses."""
    other = make_workspace(tenant)
    with tenant.unit(actor=kept_to(other)) as unit:
        assert assets.add_document(unit, name="Letter", text="x").workspace_id == other
        with pytest.raises(Invalid, match="not added"):
            assets.add_document(unit, name="Letter", text="x", workspace_id=tenant.id)
        with pytest.raises(PermissionError):
            unit.session.add(Engagement(workspace_id=tenant.id, name="x", status="open", created_at=unit.now()))
            unit.session.flush()
    with tenant.unit() as unit:
        assert assets.add_document(unit, name="Letter", text="x", workspace_id=other).workspace_id == other
        with pytest.raises(Invalid):
            assets.add_document(unit, name="Letter", text="x", workspace_id=new_id())


def test_one_address_can_be_in_two_workspaces(tenant: Made) -> None:
    """An address is one in its workspace: another one adds it without learning that it is known."""
    other = make_workspace(tenant)
    with tenant.unit() as unit:
        first = assets.add_web_asset(unit, name="Shop", address="https://shop.example.com/")
        second = assets.add_web_asset(unit, name="Shop", address="https://shop.example.com/", workspace_id=other)
        assert first.id != second.id
        with pytest.raises(Conflict):
            assets.add_web_asset(unit, name="Shop", address="https://shop.example.com/", workspace_id=other)


@pytest.mark.parametrize("table", [Scan, Finding])
def test_the_database_refuses_a_row_that_disagrees_with_its_asset(
    tenant: Made, worker_units: Units, table: type[Scan] | type[Finding]
) -> None:
    """A scan or a finding cannot be of another workspace than its asset."""
    ids = stock(tenant, worker_units).ids
    with tenant.unit() as unit:
        row = unit.session.get_one(table, (tenant.id, ids["scan_id" if table is Scan else "finding_id"]))
        row.workspace_id = ids["workspace_id"]
        with pytest.raises(IntegrityError):
            unit.session.flush()


def test_names_are_one_of_a_kind(tenant: Made) -> None:
    """A name is taken whatever its case; it is one line of at most 80 characters."""
    with tenant.unit(Home.ACCOUNT) as unit:
        for name in ("", "  ", "x" * 81, "two\nlines", "default"):
            with pytest.raises(Invalid):
                workspaces.create_workspace(unit, name=name)
        made = workspaces.create_workspace(unit, name=" Staging ")
        assert made.name == "Staging"
        assert workspaces.rename_workspace(unit, made.id, name="STAGING").name == "STAGING"
        with pytest.raises(Invalid):
            workspaces.rename_workspace(unit, made.id, name="Default")


def test_an_archived_workspace_is_read_only(tenant: Made, worker_units: Units) -> None:
    """Nothing in it is added, scanned, triaged or renamed; it is read as before, and restored with all it had."""
    other = make_workspace(tenant)
    ids = stock(tenant, worker_units, other).ids
    with tenant.unit(Home.ACCOUNT) as unit:
        workspaces.archive_workspace(unit, other)
        unit.commit()
    with tenant.unit() as unit:
        for verb in (
            lambda: assets.add_document(unit, name="x", text="x", workspace_id=other),
            lambda: assets.rename_asset(unit, ids["asset_id"], name="x"),
            lambda: scans.start_scan(unit, ids["document_id"], tool="text"),
            lambda: findings.triage(unit, ids["finding_id"], status="accepted"),
        ):
            with pytest.raises(Conflict, match="archived"):
                verb()
        assert scans.get_scan(unit, ids["scan_id"]).workspace_id == other
    with tenant.unit(Home.ACCOUNT) as unit:
        for verb in (
            lambda: workspaces.rename_workspace(unit, other, name="x"),
            lambda: configurations.change_configuration(unit, other, {"guard.block_at": "0.5"}),
        ):
            with pytest.raises(Conflict, match="archived"):
                verb()
        assert [row.id for row in workspaces.list_workspaces(unit).rows] == [tenant.id]
        assert [row.id for row in workspaces.list_workspaces(unit, archived=True).rows] == [other]
        workspaces.restore_workspace(unit, other)
        unit.commit()
    with tenant.unit() as unit:
        assert scans.start_scan(unit, ids["document_id"], tool="text").workspace_id == other


def test_the_default_workspace_stays(tenant: Made) -> None:
    """It can be renamed but not archived."""
    with tenant.unit(Home.ACCOUNT) as unit:
        assert workspaces.rename_workspace(unit, tenant.id, name="Production").name == "Production"
        with pytest.raises(Conflict):
            workspaces.archive_workspace(unit, tenant.id)


def test_changes_are_in_the_audit_log(tenant: Made) -> None:
    """Making, naming, configuring, archiving and restoring leave a row each; a change that changes nothing none."""
    with tenant.unit(Home.ACCOUNT) as unit:
        made = workspaces.create_workspace(unit, name="Staging")
        for _ in range(2):
            workspaces.rename_workspace(unit, made.id, name="Test")
            configurations.change_configuration(unit, made.id, {"guard.block_at": "0.5"})
        for _ in range(2):
            workspaces.archive_workspace(unit, made.id)
        for _ in range(2):
            workspaces.restore_workspace(unit, made.id)
        unit.commit()
    with tenant.unit() as unit:
        actions = [row.action for row in audit.list_events(unit).rows if row.target_id == made.id]
    assert sorted(actions) == [
        "workspace.archive",
        "workspace.configure",
        "workspace.create",
        "workspace.rename",
        "workspace.restore",
    ]


def test_the_plan_bounds_workspaces(tenant: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the plan's number none is made; an archived one gives its place free, and needs one to come back."""
    real = configurations.SETTINGS
    assert real
    with tenant.unit(Home.ACCOUNT) as unit:
        from dataclasses import replace

        from app.services import quotas
        from app.services.plans import Quota, entitlements

        allowed = entitlements(unit)
        bounded = replace(allowed, quotas={**allowed.quotas, Quota.WORKSPACES: 2})
        monkeypatch.setattr(quotas, "entitlements", lambda _unit: bounded)
        made = workspaces.create_workspace(unit, name="Second")
        with pytest.raises(QuotaExceeded):
            workspaces.create_workspace(unit, name="Third")
        workspaces.archive_workspace(unit, made.id)
        workspaces.create_workspace(unit, name="Third")
        with pytest.raises(QuotaExceeded):
            workspaces.restore_workspace(unit, made.id)


def test_a_setting_comes_from_the_nearest_that_has_it(tenant: Made) -> None:
    """Workspace before tenant before platform; taken away, it inherits again."""
    other = make_workspace(tenant)

    def seen(workspace_id: object) -> tuple[object, Source]:
        known = configurations.show_configuration(unit, workspace_id)["guard.block_at"]  # type: ignore[arg-type]
        return known.value, known.source

    with tenant.unit(Home.ACCOUNT) as unit:
        assert seen(other) == seen(None) == (DEFAULT.block_at, Source.PLATFORM)
        configurations.change_configuration(unit, None, {"guard.block_at": "0.5"})
        assert seen(other) == seen(None) == (0.5, Source.TENANT)
        configurations.change_configuration(unit, other, {"guard.block_at": "0.9"})
        assert (seen(other), seen(tenant.id)) == ((0.9, Source.WORKSPACE), (0.5, Source.TENANT))
        configurations.change_configuration(unit, other, {"guard.block_at": None})
        assert seen(other) == (0.5, Source.TENANT)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("guard.block_at", "much"),
        ("guard.block_at", "1.5"),
        ("guard.block_at", "nan"),
        ("guard.ignored_kinds", "shoe-size"),
        ("scans.tools", ""),
        ("scans.tools", "nmap"),
        ("scans.seconds", "9"),
        ("scans.seconds", "9" * 5000),
        ("scans.seconds", "59.5"),
        ("colour", "blue"),
    ],
)
def test_settings_that_will_not_do(tenant: Made, name: str, written: str) -> None:
    """A value out of bounds is refused with a word for its setting, and none of the others is changed."""
    with tenant.unit(Home.ACCOUNT) as unit:
        with pytest.raises(Invalid) as refused:
            configurations.change_configuration(unit, None, {"guard.ignored_kinds": "email", name: written})
        assert name in refused.value.fields
        assert configurations.configuration(unit, None)["guard.ignored_kinds"].value == ()


def test_every_setting_acts(tenant: Made, worker_units: Units) -> None:
    """The guard judges, and scans start and run, as their workspace says; another workspace is as before."""
    other = make_workspace(tenant)
    with tenant.unit(Home.ACCOUNT) as unit:
        changes = {
            "guard.block_at": "0.2",
            "guard.ignored_kinds": "credit-card",
            "scans.tools": "text",
            "scans.seconds": "15",
        }
        assert set(changes) == set(configurations.SETTINGS)
        configurations.change_configuration(unit, other, changes)
        unit.commit()
    with tenant.unit(actor=kept_to(other)) as unit:
        policy = configurations.guard_policy(unit)
        assert (policy.block_at, policy.ignored) == (0.2, frozenset({"credit-card"}))
        assert policy.version != DEFAULT.version
    with tenant.unit() as unit:
        assert configurations.guard_policy(unit) is DEFAULT
        site = assets.add_web_asset(unit, name="Shop", address="https://shop.example.com/", workspace_id=other)
        with pytest.raises(Conflict, match="switched off"):
            scans.start_scan(unit, site.id, tool="posture")
        letter = assets.add_document(unit, name="Letter", text="x", workspace_id=other)
        scan = scans.start_scan(unit, letter.id, tool="text")
        unit.commit()
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, system_actor("worker")) as unit:
        admissions.admit_scans(unit)
        ticket = scans.claim_scan(unit, scan.id)
        assert ticket is not None and ticket.seconds == 15.0


def test_another_tenants_workspace_is_nowhere(tenants: Callable[[], Made]) -> None:
    """Another tenant's workspace can neither be read, changed nor put things into."""
    mine, theirs = tenants(), tenants()
    other = make_workspace(theirs)
    with mine.unit(Home.ACCOUNT) as unit:
        for workspace_id in (other, theirs.id):
            with pytest.raises(NotFound):
                workspaces.get_workspace(unit, workspace_id)
            with pytest.raises(NotFound):
                configurations.change_configuration(unit, workspace_id, {"guard.block_at": "0.5"})
        assert unit.session.scalars(select(Workspace.id)).all() == [mine.id]
    with mine.unit() as unit, pytest.raises(Invalid):
        assets.add_document(unit, name="Letter", text="x", workspace_id=other)
    with mine.unit() as unit:
        assert unit.session.scalars(select(Asset)).all() == []
