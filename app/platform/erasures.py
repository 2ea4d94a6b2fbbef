"""Erasures of tenants as staff see them: under way, over, and the certificate of each."""

import json
from functools import partial
from uuid import UUID

from flask import Blueprint, Response, render_template, request

from app.core.errors import NotFound
from app.db import erasures as directory
from app.db.erasures import ErasureRow
from app.db.units import Doorway
from app.platform.pages import moment, page
from app.platform.routing import staff_page
from app.services import audit_seals, erasure_certificates

blueprint = Blueprint("erasures", __name__)
STEPS = {
    "settle": "Waits for work that began earlier",
    "key": "Destroys the data key",
    "directory": "Removes its entries in the directory",
    "rows": "Removes its rows",
    "executions": "Removes its workflow executions",
    "graph": "Removes it from the graph",
    "scan": "Counts what is left",
    "done": "Erased",
}


@staff_page(blueprint, "/erasures")
def index(door: Doorway) -> str:
    """List erasures, newest first."""
    read = partial(directory.listed, door.session, before=moment("before"))
    rows, older = page(read, "erasures.index", "before", lambda row: (row.begun_at, row.tenant_id))
    newest = bool(request.args.get("before"))
    return render_template("platform/erasures.html", rows=rows, older=older, newest=newest, steps=STEPS)


@staff_page(blueprint, "/erasures/<uuid:tenant_id>")
def show(door: Doorway, tenant_id: UUID) -> str:
    """Show how far an erasure is, or what its certificate says."""
    row = find_erasure(door, tenant_id)
    body = None if row.certificate is None else json.loads(row.certificate)
    every = [] if body is None else erasure_certificates.lines(body)
    lines = [line for line in every if line.removed or line.left]
    empty = len(every) - len(lines)
    return render_template("platform/erasure.html", row=row, body=body, lines=lines, empty=empty, steps=STEPS)


@staff_page(blueprint, "/erasures/<uuid:tenant_id>/certificate")
def certificate(door: Doorway, tenant_id: UUID) -> Response:
    """Send the certificate with its signature, as a file."""
    row = find_erasure(door, tenant_id)
    if row.certificate is None or row.signature is None:
        raise NotFound("This erasure is not over yet.")
    sent = Response(erasure_certificates.signed(row.certificate, row.signature), content_type="application/json")
    sent.headers["Content-Disposition"] = f'attachment; filename="erasure-{tenant_id}.json"'
    return sent


@staff_page(blueprint, "/erasures/key")
def key(door: Doorway) -> Response:
    """Send the public key by which certificates are checked."""
    pem = audit_seals.public_pem(door.session)
    if pem is None:
        raise NotFound("No worker has made the key yet.")
    sent = Response(pem, content_type="application/x-pem-file")
    sent.headers["Content-Disposition"] = 'attachment; filename="sentinel-audit-key.pem"'
    return sent


def find_erasure(door: Doorway, tenant_id: UUID) -> ErasureRow:
    """Return the tenant's erasure. Raises NotFound."""
    found = directory.listed(door.session, tenant_id=tenant_id, most=1)
    if not found:
        raise NotFound()
    return found[0]
