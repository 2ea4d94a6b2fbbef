"""What must be true of every scan that was accepted, whatever was killed meanwhile."""

from collections import Counter
from uuid import UUID

from tests.peers.installations import Installation, Reader

Sets = dict[UUID, frozenset[str]]

_SCANS = """
    SELECT s.id, s.asset_id, s.status, s.failure, s.finding_count, s.partial,
        (SELECT count(*) FROM shared.audit_events a
            WHERE a.tenant_id = s.tenant_id AND a.target_id = s.id AND a.action = 'scan.start'),
        (SELECT count(*) FROM shared.audit_events a
            WHERE a.tenant_id = s.tenant_id AND a.target_id = s.id AND a.action = 'scan.complete'),
        (SELECT count(*) FROM shared.outbox o WHERE o.tenant_id = s.tenant_id AND o.kind = 'graph.scan'
            AND o.payload ->> 'scan_id' = s.id::text),
        (SELECT count(*) FROM shared.outbox o WHERE o.tenant_id = s.tenant_id AND o.kind = 'scan.dispatch'
            AND o.payload ->> 'scan_id' = s.id::text)
    FROM shared.scans s WHERE s.tenant_id = ANY (%(tenants)s)
"""
_SEEN = """
    SELECT g.scan_id, array_agg(f.fingerprint), count(*) FROM shared.finding_sightings g
    JOIN shared.findings f ON f.tenant_id = g.tenant_id AND f.id = g.finding_id
    WHERE g.tenant_id = ANY (%(tenants)s) GROUP BY g.scan_id
"""
_TWINS = """
    SELECT asset_id, fingerprint FROM shared.findings WHERE tenant_id = ANY (%(tenants)s)
    GROUP BY tenant_id, asset_id, fingerprint HAVING count(*) > 1
"""
_CALLS = """
    SELECT t.id, (SELECT count(*) FROM shared.scans s WHERE s.tenant_id = t.id),
        (SELECT count(*) FROM shared.api_calls c
            WHERE c.tenant_id = t.id AND c.method = 'POST' AND c.endpoint = '/api/v1/scans' AND c.status = 202)
    FROM control.tenants t WHERE t.id = ANY (%(tenants)s)
"""
_LEFT = """
    SELECT 'an effect not done: ' || kind || ' ' || coalesce(last_error, '') FROM shared.outbox WHERE done_at IS NULL
    UNION ALL SELECT 'an effect not done: ' || kind FROM account.outbox WHERE done_at IS NULL
    UNION ALL SELECT 'due in the directory: ' || kind FROM auth.effects_due
    UNION ALL SELECT 'open in the directory: ' || status FROM auth.open_scans
"""


def left_open(reader: Reader) -> Counter[str]:
    """What is not finished yet, over all tenants: effects, entries of the directory."""
    return Counter(row[0] for row in reader.rows(_LEFT))


def seen_by_asset(reader: Reader, tenants: list[UUID]) -> Sets:
    """The fingerprints on each asset that has a finished scan: what every later scan of it must see."""
    seen = {scan: frozenset(marks) for scan, marks, _ in reader.rows(_SEEN, tenants=tenants)}
    return {row[1]: seen.get(row[0], frozenset()) for row in reader.rows(_SCANS, tenants=tenants) if row[2] == "done"}


def faults_in_rows(reader: Reader, tenants: list[UUID], accepted: set[UUID], expected: Sets) -> list[str]:
    """Whatever is wrong with the tenants' scans in Postgres, in words."""
    faults = []
    scans = reader.rows(_SCANS, tenants=tenants)
    seen = {scan: marks for scan, marks, _ in reader.rows(_SEEN, tenants=tenants)}
    faults += [f"{scan} was accepted and is lost" for scan in accepted - {row[0] for row in scans}]
    for scan, asset, status, failure, count, partial, starts, ends, pictures, dispatches in scans:
        if status != "done":
            faults.append(f"{scan} is {status}: {failure}")
            continue
        if (starts, ends, pictures) != (1, 1, 1) or dispatches < 1:
            faults.append(
                f"{scan}: {starts} scan.start, {ends} scan.complete, {pictures} graph.scan, {dispatches} scan.dispatch"
            )
        marks = seen.get(scan, [])
        if len(marks) != count or len(set(marks)) != count:
            faults.append(f"{scan}: {count} findings, {len(marks)} sightings of {len(set(marks))}")
        if set(marks) != expected[asset]:
            faults.append(
                f"{scan}: saw {len(marks)} instead of {len(expected[asset])}{' (partial)' if partial else ''}"
            )
    faults += [f"{mark} of {asset} is there twice" for asset, mark in reader.rows(_TWINS, tenants=tenants)]
    for tenant, made, answered in reader.rows(_CALLS, tenants=tenants):
        if made != answered:
            faults.append(f"{tenant}: {made} scans, {answered} calls that made one")
    return faults


def faults_in_graph(installation: Installation, tenants: list[UUID]) -> list[str]:
    """Whatever of the tenants' finished scans stands in the graph not exactly once, in words."""
    reader = installation.reader()
    faults = []
    for tenant in tenants:
        scans = {
            str(row[0]): (str(row[1]), row[4]) for row in reader.rows(_SCANS, tenants=[tenant]) if row[2] == "done"
        }
        rows = reader.rows("SELECT id, asset_id FROM shared.findings WHERE tenant_id = %(tenant)s", tenant=tenant)
        findings = {str(finding): str(asset) for finding, asset in rows}
        kinds = {"Scan": set(scans), "Finding": set(findings), "Asset": {asset for asset, _ in scans.values()}}
        for kind, wanted in kinds.items():
            found = Counter(_ids(installation, tenant, kind))
            faults += [f"{kind} {one} is {found[one]} times in the graph" for one in wanted if found[one] != 1]
            faults += [f"{kind} {one} is in the graph alone" for one in found if one not in wanted]
        faults += _faults_in_links(installation, tenant, scans, findings)
    return faults


def _ids(installation: Installation, tenant: UUID, kind: str) -> list[str]:
    found = installation.graph_rows(
        f"MATCH (n:{kind}) WHERE $label IN labels(n) RETURN n.id AS id", label=f"Tenant_{tenant.hex}"
    )
    return [row["id"] for row in found]


def _links(installation: Installation, tenant: UUID, pattern: str) -> Counter[tuple[str, str]]:
    text = f"MATCH {pattern} WHERE $label IN labels(a) RETURN a.id AS a, b.id AS b"
    return Counter((row["a"], row["b"]) for row in installation.graph_rows(text, label=f"Tenant_{tenant.hex}"))


def _faults_in_links(
    installation: Installation, tenant: UUID, scans: dict[str, tuple[str, int]], findings: dict[str, str]
) -> list[str]:
    examined = _links(installation, tenant, "(a:Scan)-[:EXAMINED]->(b:Asset)")
    saw = _links(installation, tenant, "(a:Scan)-[:SAW]->(b:Finding)")
    has = _links(installation, tenant, "(a:Asset)-[:HAS]->(b:Finding)")
    counted = Counter(scan for scan, _ in saw)
    faults = []
    if examined != Counter({(scan, asset): 1 for scan, (asset, _) in scans.items()}):
        faults.append(f"{tenant}: EXAMINED is not each scan to its asset, once")
    if has != Counter({(asset, finding): 1 for finding, asset in findings.items()}):
        faults.append(f"{tenant}: HAS is not each asset to its findings, once")
    if max(saw.values(), default=1) > 1:
        faults.append(f"{tenant}: SAW is there twice")
    return faults + [
        f"scan {scan} SAW {counted[scan]} of {count} in the graph"
        for scan, (_, count) in scans.items()
        if counted[scan] != count
    ]
