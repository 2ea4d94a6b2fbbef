"""Archives of exports in a test: a worker that signs them, and what is in them."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from app.core.settings import settings
from app.db.units import Home, Units
from app.graph.gateway import Graph
from app.outbox.relay import Relay
from app.services import exports
from app.services.effects import export_signatures
from tests.peers.tenants import Made

KEY = "https://sentinel.example/.well-known/sentinel-audit-key"
Files = dict[str, bytes]


@contextmanager
def signing(worker_units: Units) -> Iterator[None]:
    """Sign what is to be signed, as a worker does, for as long as the block lasts."""
    master = settings().master
    handlers = {"export.sign": export_signatures(worker_units, master)}
    relay = Relay(worker_units, handlers, listen_url=None, threads=1, poll_seconds=0.05)
    relay.start()
    try:
        yield
    finally:
        relay.stop()


def take_out(made: Made, graph: Graph | None = None) -> bytes:
    """Return the archive of a tenant's export, as its owner gets it."""
    with made.unit(Home.ACCOUNT) as unit:
        order = exports.begin_export(unit)
        unit.commit()
    return b"".join(exports.stream(made.units, order, graph, KEY))


def unpacked(archive: bytes) -> Files:
    """Return the files of an archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def repacked(files: Files) -> bytes:
    """Return an archive of the files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def lines(files: Files, name: str) -> list[dict[str, Any]]:
    """Return the rows of a file."""
    return [json.loads(line) for line in files[name].splitlines()]


Alter = Callable[[Files], None]
