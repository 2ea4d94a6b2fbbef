"""What is left of a tenant: in every column of a database, in a graph, in Temporal and in files."""

import asyncio
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import neo4j
import psycopg
from psycopg.rows import namedtuple_row
from temporalio.client import Client

from tests.peers.erasures import TABLES
from tests.plugins.servers import Bolt, Database

STATISTICS = (
    "SELECT format('%%I.%%I', schemaname, tablename) AS name FROM pg_stats "
    "WHERE concat_ws(' ', most_common_vals, histogram_bounds, most_common_elems) ~ %s"
)
# What a worker that runs writes about every tenant: when it was looked at last, and what was counted then.
LOOKED_AT = {"auth.tenants": ["archived_at"], "auth.relay_turns": ["served_at"]}
COUNTED = frozenset({"auth.tenant_usage"})


def spellings(words: Iterable[str | UUID]) -> list[str]:
    """Return how a column may hold each of them: as it is, as bytes in hex, and in base64; an id without dashes too."""
    found: list[str] = []
    for word in words:
        plain = [str(word), word.hex, word.hex.upper()] if isinstance(word, UUID) else [word]
        found += [*plain, *(each.encode().hex() for each in plain)]
        if isinstance(word, UUID):
            found.append(b64encode(word.bytes).decode().rstrip("="))
    return found


def _pattern(words: Iterable[str | UUID]) -> str:
    return "|".join(map(re.escape, spellings(words)))


def in_tables(database: Database, words: Iterable[str | UUID]) -> dict[str, set[str]]:
    """Return the columns of each table in which one of the words stands, in any schema and whatever the type."""
    pattern = _pattern(words)
    found: dict[str, set[str]] = {}
    with psycopg.connect(database.superuser, row_factory=namedtuple_row) as connection:
        for table in connection.execute(TABLES).fetchall():
            rows = connection.execute(
                f"SELECT DISTINCT e.key FROM {table.name} x, jsonb_each_text(to_jsonb(x)) e "
                "WHERE x::text ~ %(words)s AND e.value ~ %(words)s".encode(),
                {"words": pattern},
            ).fetchall()
            if rows:
                found[table.name] = {row.key for row in rows}
        assert connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)
    return found


def in_statistics(database: Database, words: Iterable[str | UUID]) -> set[str]:
    """Return the tables of whose columns the planner keeps one of the words, once the database has looked anew."""
    with psycopg.connect(database.superuser, autocommit=True, row_factory=namedtuple_row) as connection:
        connection.execute("ANALYZE")
        rows = connection.execute(STATISTICS.encode(), [_pattern(words)]).fetchall()
        return {row.name for row in rows}


def in_graph(bolt: Bolt, words: Iterable[str | UUID]) -> list[str]:
    """Return the nodes and relationships with one of the words in a label, a type or a property."""
    known = spellings(words)
    with neo4j.GraphDatabase.driver(bolt.uri, auth=(bolt.user, bolt.password)) as driver:
        nodes, _, _ = driver.execute_query(
            "MATCH (n) RETURN labels(n) AS l, properties(n) AS p", database_=bolt.database
        )
        ties, _, _ = driver.execute_query(
            "MATCH ()-[r]->() RETURN type(r) AS l, properties(r) AS p", database_=bolt.database
        )
    return [text for row in (*nodes, *ties) if any(each in (text := f"{row['l']} {row['p']}") for each in known)]


def in_temporal(address: str, words: Iterable[str | UUID]) -> list[str]:
    """Return the executions, open or closed, that name one of the words in their id, their queue or their history."""
    known = spellings(words)

    async def look() -> list[str]:
        client = await Client.connect(address)
        found = []
        async for one in client.list_workflows():
            history = await client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history()
            text = f"{one.id} {one.task_queue} {history.to_json()}"
            found += [one.id] if any(each in text for each in known) else []
        return found

    return asyncio.run(look())


def in_files(folder: Path, words: Iterable[str | UUID]) -> list[str]:
    """Return the files under a folder in whose name or content one of the words stands."""
    known = [each.encode() for each in spellings(words)]
    every = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in every if any(each in path.read_bytes() + str(path).encode() for each in known)]


def digest(database: Database, tenant_id: UUID) -> dict[str, Counter[str]]:
    """Return every row of every table that names the tenant, without what a worker that runs writes about all."""
    found = {}
    with psycopg.connect(database.superuser, row_factory=namedtuple_row) as connection:
        for table in connection.execute(TABLES).fetchall():
            if table.name not in COUNTED:
                rows = connection.execute(
                    f"SELECT (to_jsonb(x) - %s::text[])::text AS row FROM {table.name} x WHERE x::text ~ %s".encode(),
                    [LOOKED_AT.get(table.name, []), f"{tenant_id}|{tenant_id.hex}"],
                ).fetchall()
                found[table.name] = Counter(row.row for row in rows)
    return found


def nodes_of(bolt: Bolt, tenant_id: UUID) -> Counter[str]:
    """Return the tenant's nodes with all of their properties."""
    return Counter(in_graph(bolt, [tenant_id]))
