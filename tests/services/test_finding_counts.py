"""Counts of findings against the rows that they count."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select

from app.core.clock import SetClock
from app.core.errors import MalformedRequest
from app.db.units import Home, Unit
from app.models.findings import Finding, FindingTotal
from app.models.scans import Scan
from app.scanners.probes import Fault
from app.services import assets, finding_counts, findings, scans
from app.services.workspaces import create_workspace
from tests.peers.tenants import Made, lift_limits
from tests.plugins.servers import Database

DAY = timedelta(days=1)
COUNTED = Path("migrations/content/0009_found.sql")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fault(number: int, severity: str = "medium") -> Fault:
    return Fault(f"rule-{number}", "No policy", severity, "seen", "Mend it.", f"place {number}")


def scan_of(unit: Unit, name: str = "Letter", workspace_id: UUID | None = None) -> Scan:
    """A scan that runs, of a document of its own."""
    asset = assets.add_document(unit, name=name, text="text", workspace_id=workspace_id)
    return scans.accept_scan(unit, asset, "text")


def assert_exact(made: Made) -> None:
    """Totals, list counts and the last day of the trend are what the rows say."""
    with made.unit() as unit:
        rows = Counter(tuple(row) for row in unit.session.execute(select(Finding.status, Finding.severity)))
        totals: Counter[tuple[str, str]] = Counter()
        for row in unit.session.scalars(select(FindingTotal)):
            totals[(row.status, row.severity)] += row.number
        assert +totals == rows
        listed = findings.list_findings(unit, status="open", severity="high", counted=True)
        assert listed.count == rows[("open", "high")]
        trend = finding_counts.open_by_day(unit)
        assert trend.now == {each: rows[("open", each)] for each in finding_counts.SEVERITIES}
        seen = Counter(moment.astimezone(UTC).date() for moment in unit.session.scalars(select(Finding.first_seen_at)))
        assert finding_counts.found_by_day(unit, date.min, date.max) == seen


def test_each_change_of_a_finding_is_counted_on_its_day(tenant: Made) -> None:
    """Found, triaged, seen again, of another severity: the count of each day's end stays what it was then."""
    clock = SetClock(START)
    tenant.units.clock = clock
    with tenant.unit() as unit:
        scan = scan_of(unit)
        findings.record_faults(unit, scan, [fault(1), fault(2), fault(3, "high")])
        unit.commit()
    clock.advance(DAY)
    with tenant.unit() as unit:
        first, second, _third = sorted(findings.findings_of_scan(unit, scan.id), key=lambda row: row.rule)
        findings.triage(unit, first.id, status="resolved")
        findings.triage(unit, second.id, status="accepted")
        unit.commit()
    clock.advance(DAY)
    with tenant.unit() as unit:
        for _ in range(2):  # told twice, counted once
            findings.record_faults(unit, scan, [fault(1), fault(2), fault(3, "low")])
        unit.commit()
    clock.advance(6 * DAY)
    with tenant.unit() as unit:
        trend = finding_counts.open_by_day(unit, days=30)
    seen = {day: {each: number for each, number in levels.items() if number} for day, levels in trend.days}
    assert [day for day, _ in trend.days] == [(clock.now() - n * DAY).date() for n in range(29, -1, -1)]
    assert seen[(START - DAY).date()] == {}
    assert seen[START.date()] == {"high": 1, "medium": 2}
    assert seen[(START + DAY).date()] == {"high": 1}
    assert seen[(START + 2 * DAY).date()] == {"medium": 1, "low": 1}
    assert trend.total == 2
    assert trend.changes == {"critical": 0, "high": -1, "medium": 1, "low": 1, "info": 0}
    assert_exact(tenant)


def test_counts_are_of_a_workspace_where_one_is_asked_for(tenant: Made) -> None:
    """What another workspace has is in the tenant's numbers and not in this one's."""
    with tenant.unit(Home.ACCOUNT) as unit:
        other = create_workspace(unit, name="Staging").id
        unit.commit()
    with tenant.unit() as unit:
        findings.record_faults(unit, scan_of(unit), [fault(1, "high")])
        findings.record_faults(unit, scan_of(unit, "Other", other), [fault(1, "high"), fault(2, "low")])
        unit.commit()
    with tenant.unit() as unit:
        assert finding_counts.count_findings(unit) == 3
        assert finding_counts.count_findings(unit, workspace_id=other) == 2
        assert finding_counts.open_by_day(unit, workspace_id=tenant.id).total == 1
        assert findings.list_findings(unit, workspace_id=other, severity="low", counted=True).count == 1


def test_counts_stay_exact_under_concurrent_scans_and_triage(tenant: Made) -> None:
    """Scans of the same and of other assets end while people triage: nothing waits for ever, nothing is lost."""
    lift_limits(tenant)
    with tenant.unit() as unit:
        ours = [scan_of(unit, f"Letter {number}") for number in range(3)]
        findings.record_faults(unit, ours[0], [fault(number) for number in range(12)])
        unit.commit()
        scan_ids = [scan.id for scan in ours]

    def record(turn: int) -> None:
        with tenant.unit() as unit:
            scan = unit.session.get_one(Scan, (tenant.id, scan_ids[turn % 3]))
            severity = ("high", "low", "medium")[turn % 3]
            findings.record_faults(unit, scan, [fault(number, severity) for number in range(turn % 5, 12)])
            unit.commit()

    def triage(turn: int) -> None:
        with tenant.unit() as unit:
            wanted = select(Finding.id).order_by(Finding.id).limit(1).offset(turn % 12)
            found = unit.session.scalars(wanted).one()
            findings.triage(unit, found, status=findings.STATUSES[turn % 4])
            unit.commit()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(act, turn) for turn in range(20) for act in (record, triage)]:
            done.result()
    assert_exact(tenant)


def test_what_was_there_is_counted_from_its_rows(tenant: Made, postgres_server: Database) -> None:
    """The migration that brought the new findings of a day says of what was there what is counted since."""
    clock = SetClock(START)
    tenant.units.clock = clock
    with tenant.unit() as unit:
        findings.record_faults(unit, scan_of(unit), [fault(1), fault(2), fault(3, "high")])
        unit.commit()
    clock.advance(DAY)
    with tenant.unit() as unit:
        findings.record_faults(unit, scan_of(unit, "Other"), [fault(4)])
        unit.commit()
    assert_exact(tenant)
    with psycopg.connect(postgres_server.superuser) as connection:
        connection.execute("DELETE FROM shared.finding_days WHERE tenant_id = %s AND severity = 'high'", [tenant.id])
        connection.execute("UPDATE shared.finding_days SET found = 0 WHERE tenant_id = %s", [tenant.id])
        connection.execute("SET search_path = shared")
        connection.execute(COUNTED.read_bytes())
    with tenant.unit() as unit:
        found = finding_counts.found_by_day(unit, date.min, date.max)
    assert found == {START.date(): 3, (START + DAY).date(): 1}


def test_findings_are_found_by_words_of_title_and_rule(tenant: Made) -> None:
    """All words must be there, in whatever case; what has no such word is not found, and a cursor is of its search."""
    with tenant.unit() as unit:
        other = Fault("tls.old", "TLS 1.0 is accepted", "high", "seen", "Mend it.", "port 443")
        findings.record_faults(unit, scan_of(unit), [fault(1), fault(2), other])
        unit.commit()
    with tenant.unit() as unit:
        for words, number in (("POLICY", 2), ("tls accepted", 1), ("no rule-2", 1), ("tls policy", 0), ("%", 0)):
            assert findings.list_findings(unit, search=words, counted=True).count == number, words
        first = findings.list_findings(unit, search="policy", size=1)
        assert len(findings.list_findings(unit, search="policy", size=1, cursor=first.next_cursor).rows) == 1
        with pytest.raises(MalformedRequest):
            findings.list_findings(unit, search="tls", cursor=first.next_cursor)


def test_a_scan_with_many_faults_is_kept_in_few_statements(tenant: Made) -> None:
    """More faults than go into one statement are each one finding, seen by the scan."""
    with tenant.unit() as unit:
        scan = scan_of(unit)
        kept = findings.record_faults(unit, scan, [fault(number) for number in range(findings.AT_ONCE + 3)])
        unit.commit()
    with tenant.unit() as unit:
        assert len(findings.findings_of_scan(unit, scan.id)) == kept == findings.AT_ONCE + 3
    assert_exact(tenant)
