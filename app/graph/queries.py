"""Every statement that the application sends to the graph, as constants.

The dialect is what Neo4j 5.26 and ArcadeDB both run and both serve from an index: enter by `_key`, hold each node to
the tenant with `$t IN labels(n)`, create a node with its label before its key (ArcadeDB refuses the other order).
"""

from dataclasses import dataclass
from enum import StrEnum

from app.graph.checks import faults_of

# Made by the gateway from the tenant of the context; no caller can pass them.
RESERVED = frozenset({"t", "prefix"})


class Mode(StrEnum):
    """What a statement does; a SWEEP reads and may look at nodes that should not be there, but only counts them."""

    READ = "read"
    WRITE = "write"
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A constant statement, proven at import to stay inside the tenant. Raises ValueError where it is not.

    `parameters` are what a caller must pass, exactly. One that is called `key` or ends in `_key` takes a natural key,
    and so does such a field of each row in `rows`: the gateway puts the tenant before it. `most` bounds the rows of the
    answer.
    """

    name: str
    mode: Mode
    text: str
    parameters: frozenset[str] = frozenset()
    most: int = 1000

    def __post_init__(self) -> None:
        faults = faults_of(self.text, sweep=self.mode is Mode.SWEEP)
        if self.parameters & RESERVED:
            faults.append("a parameter that only the gateway sets")
        if faults:
            raise ValueError(f"{self.name}: {'; '.join(faults)}")


def _names(*names: str) -> frozenset[str]:
    return frozenset(names)


# The only statements without a tenant: they hold no data. Run at a worker's start.
SCHEMA = (
    "CREATE CONSTRAINT asset_key IF NOT EXISTS FOR (n:Asset) REQUIRE n._key IS UNIQUE",
    "CREATE CONSTRAINT scan_key IF NOT EXISTS FOR (n:Scan) REQUIRE n._key IS UNIQUE",
    "CREATE CONSTRAINT finding_key IF NOT EXISTS FOR (n:Finding) REQUIRE n._key IS UNIQUE",
)

# --- writing a scan's picture -------------------------------------------------------------------------------------

ADD_ASSETS = NamedQuery(
    "add_assets",
    Mode.WRITE,
    """
    UNWIND $rows AS row
    OPTIONAL MATCH (o:Asset {_key: row.key}) WHERE $t IN labels(o)
    WITH row, o WHERE o IS NULL
    CREATE (n:Asset)
    SET n:$($t), n._key = row.key, n._at = row.at, n.id = row.id, n.name = row.name, n.kind = row.kind,
        n.address = row.address
    """,
    _names("rows"),
)
SET_ASSETS = NamedQuery(
    "set_assets",
    Mode.WRITE,
    """
    UNWIND $rows AS row
    MATCH (n:Asset {_key: row.key}) WHERE $t IN labels(n) AND n._at < row.at
    SET n._at = row.at, n.name = row.name, n.kind = row.kind, n.address = row.address
    """,
    _names("rows"),
)
ADD_SCANS = NamedQuery(
    "add_scans",
    Mode.WRITE,
    """
    UNWIND $rows AS row
    OPTIONAL MATCH (o:Scan {_key: row.key}) WHERE $t IN labels(o)
    WITH row, o WHERE o IS NULL
    CREATE (n:Scan)
    SET n:$($t), n._key = row.key, n._at = row.at, n.id = row.id, n.tool = row.tool, n.finished_at = row.finished_at
    """,
    _names("rows"),
)
SET_SCANS = NamedQuery(
    "set_scans",
    Mode.WRITE,
    """
    UNWIND $rows AS row
    MATCH (n:Scan {_key: row.key}) WHERE $t IN labels(n) AND n._at < row.at
    SET n._at = row.at, n.tool = row.tool, n.finished_at = row.finished_at
    """,
    _names("rows"),
)
ADD_FINDINGS = NamedQuery(
    "add_findings",
    Mode.WRITE,
    """
    UNWIND $rows AS row
    OPTIONAL MATCH (o:Finding {_key: row.key}) WHERE $t IN labels(o)
    WITH row, o WHERE o IS NULL
    CREATE (n:Finding)
    SET n:$($t), n._key = row.key, n._at = row.at, n.id = row.id, n.rule = row.rule, n.title = row.title,
        n.severity = row.severity, n.status = row.status
    """,
    _names("rows"),
)
SET_FINDINGS = NamedQuery(
    "set_findings",
    Mode.WRITE,
    """
    UNWIND $rows AS row
    MATCH (n:Finding {_key: row.key}) WHERE $t IN labels(n) AND n._at < row.at
    SET n._at = row.at, n.rule = row.rule, n.title = row.title, n.severity = row.severity, n.status = row.status
    """,
    _names("rows"),
)
LINK_EXAMINED = NamedQuery(
    "link_examined",
    Mode.WRITE,
    """
    MATCH (s:Scan {_key: $scan_key}) WHERE $t IN labels(s)
    MATCH (a:Asset {_key: $asset_key}) WHERE $t IN labels(a)
    SET s._touch = $touch
    WITH s, a
    MERGE (s)-[:EXAMINED]->(a)
    """,
    _names("scan_key", "asset_key", "touch"),
)
LINK_HAS = NamedQuery(
    "link_has",
    Mode.WRITE,
    """
    MATCH (a:Asset {_key: $asset_key}) WHERE $t IN labels(a)
    SET a._touch = $touch
    WITH a
    UNWIND $rows AS row
    MATCH (f:Finding {_key: row.key}) WHERE $t IN labels(f)
    MERGE (a)-[:HAS]->(f)
    """,
    _names("asset_key", "rows", "touch"),
)
LINK_SAW = NamedQuery(
    "link_saw",
    Mode.WRITE,
    """
    MATCH (s:Scan {_key: $scan_key}) WHERE $t IN labels(s)
    SET s._touch = $touch
    WITH s
    UNWIND $rows AS row
    MATCH (f:Finding {_key: row.key}) WHERE $t IN labels(f)
    MERGE (s)-[:SAW]->(f)
    """,
    _names("scan_key", "rows", "touch"),
)

# --- the picture of the console -----------------------------------------------------------------------------------

ASSETS = NamedQuery(
    "assets",
    Mode.READ,
    """
    MATCH (a:Asset) WHERE a._key STARTS WITH $prefix AND $t IN labels(a)
    RETURN a.id AS id, a.name AS name, a.kind AS kind, a.address AS address
    ORDER BY name, id LIMIT $limit
    """,
    _names("limit"),
)
ASSET = NamedQuery(
    "asset",
    Mode.READ,
    """
    MATCH (a:Asset {_key: $key}) WHERE $t IN labels(a)
    RETURN a.id AS id, a.name AS name, a.kind AS kind, a.address AS address
    """,
    _names("key"),
)
FINDINGS_OF = NamedQuery(
    "findings_of",
    Mode.READ,
    """
    UNWIND $rows AS row
    MATCH (a:Asset {_key: row.key})-[:HAS]->(f:Finding) WHERE $t IN labels(a) AND $t IN labels(f)
    RETURN a.id AS asset_id, f.id AS id, f.rule AS rule, f.title AS title, f.severity AS severity, f.status AS status
    ORDER BY CASE f.severity
        WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END, id
    LIMIT $limit
    """,
    _names("rows", "limit"),
)
SCANS_OF = NamedQuery(
    "scans_of",
    Mode.READ,
    """
    UNWIND $rows AS row
    MATCH (s:Scan)-[:EXAMINED]->(a:Asset {_key: row.key}) WHERE $t IN labels(s) AND $t IN labels(a)
    RETURN a.id AS asset_id, s.id AS id, s.tool AS tool, s.finished_at AS finished_at
    ORDER BY finished_at DESC, id
    LIMIT $limit
    """,
    _names("rows", "limit"),
)
SEEN_BY = NamedQuery(
    "seen_by",
    Mode.READ,
    """
    UNWIND $rows AS row
    MATCH (s:Scan {_key: row.key})-[:SAW]->(f:Finding) WHERE $t IN labels(s) AND $t IN labels(f) AND f.id IN $ids
    RETURN s.id AS scan_id, f.id AS id
    LIMIT $limit
    """,
    _names("rows", "ids", "limit"),
    most=10_000,
)

# --- taking everything out ----------------------------------------------------------------------------------------

ASSETS_AFTER = NamedQuery(
    "assets_after",
    Mode.READ,
    """
    MATCH (n:Asset) WHERE n._key STARTS WITH $prefix AND $t IN labels(n) AND n._key > $after_key
    RETURN n.id AS id, n.name AS name, n.kind AS type, n.address AS address
    ORDER BY n._key LIMIT $limit
    """,
    _names("after_key", "limit"),
)
SCANS_AFTER = NamedQuery(
    "scans_after",
    Mode.READ,
    """
    MATCH (n:Scan) WHERE n._key STARTS WITH $prefix AND $t IN labels(n) AND n._key > $after_key
    RETURN n.id AS id, n.tool AS tool, n.finished_at AS finished_at
    ORDER BY n._key LIMIT $limit
    """,
    _names("after_key", "limit"),
)
FINDINGS_AFTER = NamedQuery(
    "findings_after",
    Mode.READ,
    """
    MATCH (n:Finding) WHERE n._key STARTS WITH $prefix AND $t IN labels(n) AND n._key > $after_key
    RETURN n.id AS id, n.rule AS rule, n.title AS title, n.severity AS severity, n.status AS status
    ORDER BY n._key LIMIT $limit
    """,
    _names("after_key", "limit"),
)
EXAMINED_AFTER = NamedQuery(
    "examined_after",
    Mode.READ,
    """
    MATCH (s:Scan)-[:EXAMINED]->(a:Asset)
    WHERE s._key STARTS WITH $prefix AND $t IN labels(s) AND $t IN labels(a) AND s._key > $after_key
    RETURN s.id AS source, a.id AS target
    ORDER BY s._key LIMIT $limit
    """,
    _names("after_key", "limit"),
)
HAS_AFTER = NamedQuery(
    "has_after",
    Mode.READ,
    """
    MATCH (a:Asset)-[:HAS]->(f:Finding)
    WHERE f._key STARTS WITH $prefix AND $t IN labels(a) AND $t IN labels(f) AND f._key > $after_key
    RETURN a.id AS source, f.id AS target
    ORDER BY f._key LIMIT $limit
    """,
    _names("after_key", "limit"),
)
SAW_AFTER = NamedQuery(
    "saw_after",
    Mode.READ,
    """
    MATCH (s:Scan {_key: $scan_key})-[:SAW]->(f:Finding)
    WHERE $t IN labels(s) AND $t IN labels(f) AND f._key > $after_key
    RETURN s.id AS source, f.id AS target
    ORDER BY f._key LIMIT $limit
    """,
    _names("scan_key", "after_key", "limit"),
)

# --- the end of a tenant ------------------------------------------------------------------------------------------

COUNT = NamedQuery("count", Mode.READ, "MATCH (n:$($t)) RETURN count(n) AS nodes")
PURGE_ASSETS = NamedQuery(
    "purge_assets",
    Mode.WRITE,
    """
    MATCH (n:Asset) WHERE n._key STARTS WITH $prefix AND $t IN labels(n)
    WITH n LIMIT $limit
    DETACH DELETE n
    RETURN count(*) AS nodes
    """,
    _names("limit"),
)
PURGE_SCANS = NamedQuery(
    "purge_scans",
    Mode.WRITE,
    """
    MATCH (n:Scan) WHERE n._key STARTS WITH $prefix AND $t IN labels(n)
    WITH n LIMIT $limit
    DETACH DELETE n
    RETURN count(*) AS nodes
    """,
    _names("limit"),
)
PURGE_FINDINGS = NamedQuery(
    "purge_findings",
    Mode.WRITE,
    """
    MATCH (n:Finding) WHERE n._key STARTS WITH $prefix AND $t IN labels(n)
    WITH n LIMIT $limit
    DETACH DELETE n
    RETURN count(*) AS nodes
    """,
    _names("limit"),
)
# Whatever else bears the label: 5.26 looks at every node of the graph for it, so it comes last.
PURGE_REST = NamedQuery(
    "purge_rest",
    Mode.WRITE,
    """
    MATCH (n:$($t))
    WITH n LIMIT $limit
    DETACH DELETE n
    RETURN count(*) AS nodes
    """,
    _names("limit"),
)
PURGES = (PURGE_FINDINGS, PURGE_SCANS, PURGE_ASSETS, PURGE_REST)

# --- the invariants -----------------------------------------------------------------------------------------------

SWEEP_ASSETS = NamedQuery(
    "sweep_assets",
    Mode.SWEEP,
    """
    MATCH (n:Asset) WHERE n._key STARTS WITH $prefix AND NOT $t IN labels(n)
    RETURN count(n) AS found
    """,
)
SWEEP_SCANS = NamedQuery(
    "sweep_scans",
    Mode.SWEEP,
    """
    MATCH (n:Scan) WHERE n._key STARTS WITH $prefix AND NOT $t IN labels(n)
    RETURN count(n) AS found
    """,
)
SWEEP_FINDINGS = NamedQuery(
    "sweep_findings",
    Mode.SWEEP,
    """
    MATCH (n:Finding) WHERE n._key STARTS WITH $prefix AND NOT $t IN labels(n)
    RETURN count(n) AS found
    """,
)
SWEEP_LABELS = NamedQuery(
    "sweep_labels",
    Mode.SWEEP,
    """
    MATCH (n:$($t)) WHERE size([l IN labels(n) WHERE l STARTS WITH 'Tenant_']) <> 1
    RETURN count(n) AS found
    """,
)
SWEEP_KEYS = NamedQuery(
    "sweep_keys",
    Mode.SWEEP,
    """
    MATCH (n:$($t)) WHERE (n._key IS NULL OR NOT n._key STARTS WITH $prefix)
    RETURN count(n) AS found
    """,
)
SWEEP_RELATIONSHIPS = NamedQuery(
    "sweep_relationships",
    Mode.SWEEP,
    """
    MATCH (n:$($t))-[r]-(m) WHERE NOT $t IN labels(m)
    RETURN count(r) AS found
    """,
)


def every_query() -> tuple[NamedQuery, ...]:
    """Return each constant of this module, in the order in which it stands here."""
    return tuple(value for value in globals().values() if isinstance(value, NamedQuery))
