"""Erasures by command: listed, watched, the certificate shown, and checked away from the installation."""

import json
import sys
import time
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

import click

from app.core.errors import NotFound
from app.db import erasures as directory
from app.db.erasures import ErasureRow
from app.platform.erasures import STEPS
from app.platform.offline import blame, checking, file_and_key
from app.platform.terminal import door, fail, json_too, show
from app.services import erasure_certificates

PATIENCE = 600.0
PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class _Listed:
    tenant_id: UUID
    slug: str
    step: str
    begun_at: datetime
    finished_at: datetime | None
    attempts: int
    last_error: str | None


def add_to(tenants: click.Group) -> None:
    """Give the commands of tenants those of erasures."""
    for command in (list_erasures, certificate, verify_certificate):
        tenants.add_command(command)


@click.command("erasures")
@json_too
def list_erasures(as_json: bool) -> None:
    """List erasures, newest first."""
    found: list[ErasureRow] = []
    with door() as opened:
        while page := directory.listed(
            opened.session, before=(found[-1].begun_at, found[-1].tenant_id) if found else None, most=500
        ):
            found += page
    columns = [field.name for field in fields(_Listed)]
    show([_Listed(*(getattr(row, name) for name in columns)) for row in found], columns, as_json=as_json)


@click.command()
@click.argument("tenant_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="The signed file itself, for keeping and for checking.")
@click.option("--wait/--no-wait", default=False, help="Wait until the tenant is erased, ten minutes at most.")
def certificate(tenant_id: UUID, as_json: bool, wait: bool) -> None:
    """Show the certificate of TENANT_ID's erasure; 1 where there is none yet."""
    found = _watched(tenant_id) if wait else _find(tenant_id)
    file = _file(found)
    if file is None:
        fail(NotFound(_under_way(found)))
    if as_json:
        click.echo(file.decode(), nl=False)
    else:
        _tell(json.loads(file)["certificate"])


@click.command("verify-certificate")
@file_and_key
@json_too
def verify_certificate(file: BinaryIO, key_file: BinaryIO, as_json: bool) -> None:
    """Check a certificate offline: 0 it is whole, 1 it was changed or tells of something left, 2 it is none."""
    with checking(key_file) as key:
        body, faults = erasure_certificates.verify(file.read(), key)
    if as_json:
        click.echo(json.dumps({"whole": not faults, "faults": faults, "certificate": body}))
        sys.exit(1 if faults else 0)
    blame(faults)
    _tell(body)


def _find(tenant_id: UUID) -> ErasureRow:
    with door() as opened:
        found = directory.listed(opened.session, tenant_id=tenant_id, most=1)
    if not found:
        fail(NotFound("This tenant is not being erased, and was not."))
    return found[0]


def _watched(tenant_id: UUID) -> ErasureRow:
    """Return the erasure once it is over, or as it is after ten minutes, watching its steps."""
    places = list(STEPS)
    deadline = time.monotonic() + PATIENCE
    with click.progressbar(length=len(places) - 1, label="erasing", file=sys.stderr) as bar:
        while True:
            found = _find(tenant_id)
            bar.update(max(0, places.index(found.step) - bar.pos))
            if found.certificate is not None or time.monotonic() > deadline:
                return found
            time.sleep(PAUSE)


def _under_way(row: ErasureRow) -> str:
    problem = f", {row.last_error}" if row.last_error else ""
    return f"under way: {STEPS[row.step]}{problem}"


def _file(row: ErasureRow) -> bytes | None:
    if row.certificate is None or row.signature is None:
        return None
    return erasure_certificates.signed(row.certificate, row.signature)


def _tell(body: dict[str, Any]) -> None:
    click.echo(f"{body['slug']} ({body['tenant']}) was erased by {body['finished_at']}: {body['ordered']['reason']}")
    for line in erasure_certificates.lines(body):
        if line.removed:
            click.echo(f"{line.removed:>10,}  {line.kind}: {line.name}")
    click.echo(f"{erasure_certificates.total(body['left']):>10,}  left")
    for key in body["data_keys_destroyed"]:
        click.echo(f"data key {key['version']} destroyed; wrapped it had the SHA-256 {key['wrapped_sha256']}")
