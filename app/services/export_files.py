"""The files of an export: a table each, the sealed audit log, the graph, a README, and the manifest of them all."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_

from app.core.errors import Unavailable
from app.db.units import Home, Unit, Units
from app.graph.exports import node_pages, relationship_pages
from app.graph.gateway import Graph
from app.services import audit_exports
from app.services.audit import EVERYTHING
from app.services.audit_seals import stream_sealed
from app.services.export_archives import Archive
from app.services.export_tables import (
    COLUMNS_LEFT_OUT,
    OPENED,
    TABLES_LEFT_OUT,
    ExportedTable,
    exported_tables,
    line_of,
)

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
README = "README.txt"
SEALED_LOG = "audit/sealed.ndjson"
FORMAT, VERSION = "sentinel-export", 1
_README = """\
Everything that {name} ({slug}) has in Sentinel, taken out on {at} by {label}.

  content/, account/, control/   one file a table, one JSON object a line
  audit/sealed.ndjson            the audit log with its seals, for `python -m app.cli audit verify`
  graph/                         nodes and relationships, if the graph answered (manifest.json says so)
  manifest.json                  of each file its size, lines, SHA-256 and columns; what was left out, and why
  manifest.sig                   the installation's signature (Ed25519) of the manifest

Nothing here opens an account or a key: passwords, keys and tokens are not part of it. What was pasted as a document is
in the clear, and so are names and addresses of people: keep it accordingly.

Public key of the installation: {key}
To check that nothing was changed, taken away or added:

  python -m app.cli export verify FILE --key sentinel-audit-key.pem
"""


@dataclass(frozen=True, slots=True)
class Order:
    """An export that was asked for and recorded; `horizons`: the first transaction that was open then, of each home."""

    id: UUID
    unit: Unit
    at: datetime
    tenant: dict[str, str]
    horizons: dict[Home, int]


class Contents:
    """Writes the files of one export into its archive."""

    def __init__(self, units: Units, order: Order, graph: Graph | None, key_address: str) -> None:
        self.archive = Archive(order.at)
        self._units, self._order, self._graph, self._key = units, order, graph, key_address
        self._graph_state = "not configured"

    def files(self) -> Iterator[bytes]:
        """Yield every file but manifest and signature, packed."""
        for table in exported_tables():
            parts = _table_parts(self._units, self._order, table)
            left_out = COLUMNS_LEFT_OUT.get(table.name, {})
            yield from self.archive.add(table.file, parts, table=table.name, line=table.schema(), left_out=left_out)
        log = audit_exports.Export(self._order.unit, "sealed", EVERYTHING, self._order.horizons)
        yield from self.archive.add(SEALED_LOG, stream_sealed(self._units, log))
        yield from self._graph_files()
        yield from self.archive.add(README, [self._readme()])

    def manifest(self) -> bytes:
        """Return the manifest of the files so far."""
        order, members = self._order, self.archive.members
        told = {
            "format": FORMAT,
            "version": VERSION,
            "export": str(order.id),
            "tenant": order.tenant,
            "ordered": {"at": _moment(order.at), "by": str(order.unit.actor.id), "label": order.unit.actor.label},
            "ended": _moment(order.unit.now()),
            "before_transaction": {str(home): number for home, number in order.horizons.items()},
            "key": self._key,
            "graph": self._graph_state,
            "tables_left_out": TABLES_LEFT_OUT,
            "opened": OPENED,
            "files": [
                {"name": each.name, "bytes": each.bytes, "rows": each.rows, "sha256": each.sha256, **each.facts}
                for each in members
            ],
        }
        return (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()

    def _readme(self) -> bytes:
        order = self._order
        at = order.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        names = {"name": order.tenant["name"], "slug": order.tenant["slug"], "label": order.unit.actor.label}
        return _README.format(at=at, key=self._key, **names).encode()

    def _graph_files(self) -> Iterator[bytes]:
        if self._graph is None:
            return
        tenant_id = self._order.unit.tenant_id
        try:
            self._graph.ping()
        except Unavailable:
            self._graph_state = "not available"
            return
        self._graph_state = "complete"
        for name, pages in (
            ("nodes", node_pages(self._graph, tenant_id)),
            ("relationships", relationship_pages(self._graph, tenant_id)),
        ):
            yield from self.archive.add(f"graph/{name}.ndjson", self._graph_parts(pages))

    def _graph_parts(self, pages: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
        try:
            for page in pages:
                yield _ndjson(page)
        except Unavailable:
            self._graph_state = "broke off"


def _table_parts(units: Units, order: Order, table: ExportedTable) -> Iterator[bytes]:
    """Yield a table's lines, each read in a transaction of its own; the keys order them, so that none comes twice."""
    columns = [getattr(table.model, name) for name in table.columns]
    key = [getattr(table.model, name) for name in table.key]
    places = [table.columns.index(name) for name in table.key]
    after: tuple[Any, ...] | None = None
    while True:
        statement = select(*columns).order_by(*key).limit(table.chunk)
        if after is not None:
            statement = statement.where(tuple_(*key) > after)
        with units.reopen(order.unit, table.home) as unit:
            rows = [tuple(row) for row in unit.session.execute(statement)]
            part = _ndjson([line_of(unit, table, row) for row in rows])
        if rows:
            yield part
        if len(rows) < table.chunk:
            return
        after = tuple(rows[-1][place] for place in places)


def _ndjson(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return a line for each row. What is no Unicode (half of a surrogate pair) stays as JSON's own escape."""
    lines = (json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows)
    return "".join(lines).encode("utf-8", "backslashreplace")


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
