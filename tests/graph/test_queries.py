"""The constants: each is inside the tenant, and the check that says so can fail."""

import re

import pytest

from app.graph import queries
from app.graph.checks import faults_of
from app.graph.queries import Mode, NamedQuery, every_query

EVERY = every_query()


def test_names_are_unique() -> None:
    """A name in a log names one statement."""
    assert len({query.name for query in EVERY}) == len(EVERY) >= 25


@pytest.mark.parametrize("query", EVERY, ids=lambda query: query.name)
def test_parameters_are_declared_exactly(query: NamedQuery) -> None:
    """A query declares the parameters that its text uses, no more and no less."""
    used = set(re.findall(r"\$(\w+)", query.text)) - queries.RESERVED
    assert used == query.parameters


@pytest.mark.parametrize("query", EVERY, ids=lambda query: query.name)
def test_answers_are_bounded(query: NamedQuery) -> None:
    """A query that returns rows says how many at most, returns one count, or looks up one key."""
    if "RETURN" in query.text:
        assert "LIMIT $limit" in query.text or "count(" in query.text or "{_key: $key}" in query.text


def _without_one_scope(text: str) -> list[str]:
    """Each text that results from losing one thing that holds it to the tenant."""
    losses = [" AND $t IN labels(X)", "$t IN labels(X) AND ", " WHERE $t IN labels(X)", "X:$($t), ", "X:$($t)"]
    losses += [" {_key: row.key}", " {_key: row.asset_key}", " {_key: $key}", ":$($t)", ", X._key = row.key"]
    losses += ["X._key STARTS WITH $prefix AND "]
    broken = []
    for loss in losses:
        pattern = re.escape(loss).replace("X", r"\w")
        for match in re.finditer(pattern, text):
            broken.append(text[: match.start()] + text[match.end() :])
    return broken


@pytest.mark.parametrize("query", [q for q in EVERY if q.mode is not Mode.SWEEP], ids=lambda query: query.name)
def test_a_query_that_loses_its_scope_cannot_be_made(query: NamedQuery) -> None:
    """Whichever of its tenant conditions is left out, the constant refuses to exist."""
    broken = _without_one_scope(query.text)
    assert broken
    for text in broken:
        with pytest.raises(ValueError, match=query.name):
            NamedQuery(query.name, query.mode, text, query.parameters)


@pytest.mark.parametrize("query", [q for q in EVERY if q.mode is Mode.SWEEP], ids=lambda query: query.name)
def test_only_a_sweep_looks_at_foreign_nodes(query: NamedQuery) -> None:
    """What a sweep may look at, no other query may, and it gives nothing away but a count."""
    if "NOT $t" in query.text:
        assert faults_of(query.text)
    assert query.text.split("RETURN")[1].strip().startswith("count(")
    if "NOT $t" in query.text:
        var = "m" if "(m)" in query.text else "n"
        assert faults_of(query.text.replace("AS found", f"AS found, {var}.name AS name"), sweep=True)


@pytest.mark.parametrize(
    "text",
    [
        "MATCH (n:Asset) RETURN n.id AS id",
        "MATCH (n) WHERE $t IN labels(n) RETURN n.id AS id",
        "MATCH (n:Asset {_key: $key}) RETURN n.id AS id",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) RETURN n",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) OR true RETURN n.id AS id",
        "MATCH (n:Asset {_key: $key}) WHERE ($t IN labels(n) OR true) RETURN n.id AS id",
        "MATCH (n:Asset {_key: $key}) WHERE NOT $t IN labels(n) RETURN n.id AS id",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) OR $t IN labels(n) AND true RETURN n.id AS id",
        "MATCH (n:Asset {_key: 'x'}) WHERE $t IN labels(n) RETURN n.id AS id",
        "MATCH (n:Asset {_key: $raw}) WHERE $t IN labels(n) RETURN n.id AS id",
        "MATCH (n:Asset {name: $key}) WHERE $t IN labels(n) RETURN n.id AS id",
        "MATCH (n:Asset {_key: $key})-[:HAS]->() WHERE $t IN labels(n) RETURN n.id AS id",
        "MATCH (n:Asset {_key: $key})-[:HAS]->(m) WHERE $t IN labels(n) RETURN m.id AS id",
        "MATCH (n:Asset {_key: $key})-[:HAS*]->(m) WHERE $t IN labels(n) AND $t IN labels(m) RETURN m.id AS id",
        "MATCH (n:Asset {_key: $key})-[:HAS*2]->(m) WHERE $t IN labels(n) AND $t IN labels(m) RETURN m.id AS id",
        "MATCH (n:Asset {_key: $key})--(m) WHERE $t IN labels(n) AND $t IN labels(m) RETURN m.id AS id",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) AND (n)-[:HAS]->() RETURN n.id AS id",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) AND EXISTS { (n)--() } RETURN n.id AS id",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) RETURN COUNT { MATCH (m) } AS c",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) RETURN [(n)--(m) | m.name] AS names",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) WITH n MATCH (m:Asset) RETURN m.id AS id",
        "MATCH (n:Asset {_key: $key}), (m:Scan) WHERE $t IN labels(n) RETURN m.id AS id",
        "MATCH (n:Asset|Scan {_key: $key}) WHERE $t IN labels(n) RETURN n.id AS id",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) UNION MATCH (m) RETURN m.id AS id",
        "CALL db.labels() YIELD label RETURN label",
        "LOAD CSV FROM 'http://x' AS l RETURN l",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) // AND\nRETURN n.id AS id",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) RETURN n.id AS id; MATCH (m) DETACH DELETE m",
        "MATCH (`n`:Asset {_key: $key}) WHERE $t IN labels(n) RETURN n.id AS id",
        "MATCH (n:\\u0041sset {_key: $key}) WHERE $t IN labels(n) RETURN n.id AS id",
        "UNWIND $rows AS row CREATE (n:Asset) SET n.id = row.id",
        "UNWIND $rows AS row CREATE (n:Asset) SET n:$($t), n.id = row.id",
        "UNWIND $rows AS row CREATE (n:Asset) SET n:$($t), n._key = row.raw",
        "UNWIND $rows AS row CREATE (n:Asset), (m:Asset) SET n:$($t), n._key = row.key",
        "UNWIND $rows AS row MERGE (n:Asset {_key: row.key}) SET n:$($t), n._key = row.key",
        "UNWIND $rows AS row MATCH (n:Asset {_key: row.key}) WHERE $t IN labels(n) SET n._key = row.raw",
        "UNWIND $rows AS row MATCH (n:Asset {_key: row.key}) WHERE $t IN labels(n) SET n += row.all",
        "UNWIND $rows AS row MATCH (n:Asset {_key: row.key}) WHERE $t IN labels(n) SET n:Tenant_x",
        "UNWIND $rows AS row MATCH (n:Asset {_key: row.key}) WHERE $t IN labels(n) SET n:$($other)",
        "UNWIND $rows AS row MATCH (n:Asset {_key: row.key}) WHERE $t IN labels(n) REMOVE n:$($t)",
        "UNWIND $rows AS row OPTIONAL MATCH (n:Asset {_key: row.key}) WHERE $t IN labels(n) SET n.id = row.id",
        "MATCH (a:Asset {_key: $key}) WHERE $t IN labels(a) MERGE (a)-[:HAS]->(f)",
        "MATCH (a:Asset {_key: $key}) WHERE $t IN labels(a) MERGE (a)-[:HAS]->(f:Finding)",
        "MATCH (a:Asset {_key: $key}) WHERE $t IN labels(a) OPTIONAL MATCH (f:Finding {_key: $b_key})"
        " WHERE $t IN labels(f) MERGE (a)-[:HAS]->(f)",
        "MATCH (n:Asset {_key: $key}) WHERE $t IN labels(n) WITH n.id AS n MATCH (n) DETACH DELETE n",
        "MATCH (n) DETACH DELETE n",
        "MATCH (n:$($t)) RETURN n.id AS id match (m) return m",
        "MATCH (n:$($t)) RETURN collect(n) AS all",
        "MATCH (n:$($t)) RETURN n.id AS id ORDER BY size([(n)--(m) | m.name])",
        "MATCH (n:$($t)) WHERE size([(n)<-[:HAS]-(m) | m]) = 1 RETURN n.id AS id",
        "MATCH (n:$($t)) WITH n DELETE n",
        "MATCH (n:$($t)) WITH n LIMIT $limit DETACH NODES n",
        "",
    ],
)
def test_what_might_reach_further_is_refused(text: str) -> None:
    """Each of these, though some look scoped, cannot become a constant."""
    assert faults_of(text)
    assert faults_of(text, sweep=True)
