"""Exports of everything: what is in them, what is not, and that each change to an archive is found."""

import base64
import io
import json
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, update

from app.cli import main
from app.core.errors import Conflict, PermissionDenied, Unavailable
from app.core.ids import new_id
from app.core.permissions import Role, permissions_of
from app.db.units import Home, Units
from app.models.accounts import AccountAuditEvent
from app.models.exports import Export
from app.models.tenants import Tenant
from app.services import assets, audit_seals, exports
from app.services.export_tables import COLUMNS_LEFT_OUT, OPENED, TABLES_LEFT_OUT, every_table, exported_tables
from app.tenancy.actors import Actor, ActorKind
from tests.peers import rows
from tests.peers.archives import Alter, Files, lines, repacked, signing, take_out, unpacked
from tests.peers.tenants import Made
from tests.plugins.servers import Database

# Columns whose names sound like secrets, and why they are none.
HARMLESS = {
    "account.audit_removals.signature": "proves, and opens nothing",
    "account.audit_seals.hash": "the head of the log, which is to be kept elsewhere",
    "account.audit_seals.signature": "proves, and opens nothing",
    "account.email_domains.token": "stands in the tenant's public DNS",
    "account.exports.manifest_hash": "the hash of a file of the archive",
    "account.exports.signature": "proves, and opens nothing",
    "content.audit_removals.signature": "proves, and opens nothing",
    "content.audit_seals.hash": "the head of the log, which is to be kept elsewhere",
    "content.audit_seals.signature": "proves, and opens nothing",
    "content.documents.sealed": "opened: the tenant's own text",
    "content.ownership_proofs.token": "stands in public beneath the tenant's address",
}
SECRET = re.compile(r"secret|hash|sealed$|wrapped|token|password|signature|pepper$")
PEPPERS = {"account.api_key_secrets.pepper", "account.scim_tokens.pepper"}  # a mark that tells which pepper, no more

Check = Callable[..., Result]


@pytest.fixture
def signed(worker_units: Units) -> Iterator[None]:
    """A worker that signs."""
    with signing(worker_units):
        yield


@pytest.fixture
def archive(tenant: Made, signed: None) -> bytes:
    """The archive of a tenant with a document."""
    with tenant.unit() as unit:
        assets.add_document(unit, name="Letter", text="Grüße \ud800 an alle")
        unit.commit()
    return take_out(tenant)


def test_every_table_is_exported_or_listed(postgres_server: Database) -> None:
    """A new table or column is in the export, or is left out by name and with a reason; no reason is left over."""
    exported = {table.name: table for table in exported_tables()}
    found = {shape.name.replace("shared.", "content."): shape for shape in rows.shapes(postgres_server.superuser)}
    assert sorted(found) == every_table() == sorted(exported.keys() | TABLES_LEFT_OUT.keys())
    assert COLUMNS_LEFT_OUT.keys() | OPENED.keys() <= exported.keys()
    for name, table in exported.items():
        assert set(table.columns) | COLUMNS_LEFT_OUT.get(name, {}).keys() == found[name].kinds.keys(), name
        assert not set(table.columns) & COLUMNS_LEFT_OUT.get(name, {}).keys()


def test_no_column_sounds_like_a_secret() -> None:
    """What is called a secret, hash, token or signature is left out, or listed here as harmless."""
    suspects = {f"{table.name}.{name}" for table in exported_tables() for name in table.columns if SECRET.search(name)}
    assert suspects == HARMLESS.keys() | PEPPERS


def test_all_of_ones_own_and_nothing_of_another(
    units: Units, postgres_server: Database, signed: None, worker_units: Units
) -> None:
    """With a row in every table of two tenants, each file holds the one's row, and nothing the other's or a secret."""
    every = rows.shapes(postgres_server.superuser)
    with psycopg.connect(postgres_server.superuser) as connection:
        ours, theirs = rows.plant(connection, every), rows.plant(connection, every)
    owner = frozenset(str(permission) for permission in permissions_of(Role.OWNER))
    made = Made(ours.tenant_id, "x", "x", "x", replace(_somebody(), permissions=owner), units)
    files = unpacked(take_out(made))
    whole = b"\n".join(files.values())
    assert theirs.tenant_id.hex.encode() not in whole.replace(b"-", b"")
    for table in exported_tables():
        tenant = "id" if table.name == "control.tenants" else "tenant_id"
        found = lines(files, table.file)
        assert {line[tenant] for line in found} == {str(ours.tenant_id)}, table.name
        planted = ours.rows[table.name.replace("content.", "shared.")]
        ids = {name: str(planted[name]) for name in table.key if isinstance(planted[name], UUID)}
        assert any(ids.items() <= line.items() for line in found), table.name
        for column in COLUMNS_LEFT_OUT.get(table.name, {}):
            secret = planted[column]
            if isinstance(secret, bytes):
                assert base64.b64encode(secret) not in whole and secret.hex().encode() not in whole
    assert base64.b64encode(ours.rows["control.tenant_keys"]["wrapped"]) not in whole


def _somebody() -> Actor:
    return Actor(ActorKind.USER, new_id(), "owner@example.com", frozenset())


def test_what_is_in_the_archive(tenant: Made, archive: bytes) -> None:
    """Documents are opened, the manifest tells of every file, key and graph, and both ends are in the audit log."""
    files = unpacked(archive)
    (document,) = lines(files, "content/documents.ndjson")
    assert document["text"] == "Grüße \ud800 an alle" and "sealed" not in document
    told = json.loads(files["manifest.json"])
    assert told["tenant"]["slug"] == tenant.slug and told["ordered"]["label"] == tenant.email
    assert told["graph"] == "not configured" and "graph/nodes.ndjson" not in files
    assert {each["name"] for each in told["files"]} | {"manifest.json", "manifest.sig"} == files.keys()
    assert tenant.slug in files["README.txt"].decode()
    for each in told["files"]:
        assert each["rows"] == files[each["name"]].count(b"\n")
        for line in lines(files, each["name"]) if "line" in each else ():
            assert sorted(line) == each["line"]["required"]
    with tenant.unit(Home.ACCOUNT) as unit:
        actions = list(unit.session.scalars(select(AccountAuditEvent.action).order_by(AccountAuditEvent.id)))
        (row,) = exports.list_exports(unit)
        assert (row.state, row.files, row.rows) == (
            "complete",
            len(told["files"]),
            sum(f["rows"] for f in told["files"]),
        )
    assert actions[-2:] == ["tenant.export", "export.end"]


@pytest.fixture
def check(tenant: Made, tmp_path: Path) -> Check:
    """Runs the command on an archive, with the installation's key."""

    def run(archive: bytes, pem: bytes | None = None) -> Result:
        with tenant.units.identify() as door:
            own = audit_seals.public_pem(door.session)
        (tmp_path / "key.pem").write_bytes(pem or own or b"")
        (tmp_path / "export.zip").write_bytes(archive)
        return CliRunner().invoke(
            main, ["export", "verify", str(tmp_path / "export.zip"), "--key", str(tmp_path / "key.pem")]
        )

    return run


def _edit(files: Files) -> None:
    files["account/memberships.ndjson"] = files["account/memberships.ndjson"].replace(b"owner", b"admin", 1)


def _line(files: Files) -> None:
    files["account/audit_events.ndjson"] = files["account/audit_events.ndjson"].split(b"\n", 1)[1]


def _member(files: Files) -> None:
    del files["content/documents.ndjson"]


def _listed_member(files: Files) -> None:
    told = json.loads(files["manifest.json"])
    told["files"] = [each for each in told["files"] if each["name"] != "content/documents.ndjson"]
    files["manifest.json"] = json.dumps(told).encode()
    _member(files)


def _addition(files: Files) -> None:
    files["content/extra.ndjson"] = b"{}\n"


def _manifest(files: Files) -> None:
    files["manifest.json"] = files["manifest.json"].replace(b'"version": 1', b'"version":  1')


def _statement(files: Files) -> None:
    files["manifest.sig"] = files["manifest.sig"].replace(b"sentinel-export", b"sentinel-exporT")


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (_edit, "account/memberships.ndjson was changed"),
        (_line, "account/audit_events.ndjson was changed"),
        (_member, "content/documents.ndjson is missing"),
        (_listed_member, "not the one that was signed"),
        (_addition, "content/extra.ndjson was added"),
        (_manifest, "not the one that was signed"),
        (_statement, "signature"),
    ],
)
def test_what_was_altered_is_found(archive: bytes, check: Check, alter: Alter, said: str) -> None:
    """A changed, removed or added line or file is answered 1, and named."""
    files = unpacked(archive)
    assert check(repacked(files)).exit_code == 0
    alter(files)
    found = check(repacked(files))
    assert found.exit_code == 1 and said in found.output, found.output


def test_what_cannot_be_checked(archive: bytes, check: Check) -> None:
    """A whole archive is answered 0; one that broke off, has no signature or is none, 2; another's key, 1."""
    whole = check(archive)
    assert whole.exit_code == 0 and "files are whole" in whole.output
    files = unpacked(archive)
    del files["manifest.sig"]
    for broken in (archive[: len(archive) // 2], repacked(files), b"PK", b""):
        assert check(broken).exit_code == 2
    other = Ed25519PrivateKey.generate().public_key()
    pem = other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert check(archive, pem).exit_code == 1
    assert check(archive, b"none").exit_code == 2


def test_one_at_a_time_and_by_owners_alone(tenant: Made, signed: None) -> None:
    """A second one waits for the first; one that fell silent stands in nobody's way; an administrator gets none."""
    with tenant.unit(Home.ACCOUNT) as unit:
        exports.begin_export(unit)
        unit.commit()
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(Conflict):
        exports.begin_export(unit)
    with tenant.unit(Home.ACCOUNT) as unit:
        unit.session.execute(update(Export).values(seen_at=unit.now() - timedelta(minutes=5)))
        unit.commit()
    with tenant.unit(Home.ACCOUNT) as unit:
        assert [row.state for row in exports.list_exports(unit)] == ["broken"]
    assert zipfile.ZipFile(io.BytesIO(take_out(tenant))).testzip() is None
    admin = replace(tenant.actor, permissions=frozenset(str(p) for p in permissions_of(Role.ADMIN)))
    with tenant.unit(Home.ACCOUNT, admin) as unit:
        for refused in (exports.begin_export, exports.list_exports):
            with pytest.raises(PermissionDenied):
                refused(unit)


def test_what_is_not_signed_or_not_read_to_its_end_is_broken(tenant: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a worker the archive breaks off, as it does for a reader who leaves; both are on record as broken."""
    monkeypatch.setattr(exports, "SIGNED_WITHIN", 0.1)
    with pytest.raises(Unavailable):
        take_out(tenant)
    with tenant.unit(Home.ACCOUNT) as unit:
        order = exports.begin_export(unit)
        unit.commit()
    left = exports.stream(tenant.units, order, None, "")
    next(left)
    left.close()  # type: ignore[attr-defined]
    with tenant.unit(Home.ACCOUNT) as unit:
        assert [row.state for row in exports.list_exports(unit)] == ["broken", "broken"]


def _measure(tenant: Made, database: Database, calls: int) -> int:
    """Return the bytes of memory at the peak of an export with so many calls."""
    with psycopg.connect(database.superuser) as connection:
        connection.execute(
            "INSERT INTO shared.api_calls (tenant_id, id, at, key_name, method, endpoint, status, microseconds, "
            "request_id) SELECT %s, gen_random_uuid(), now(), 'k', 'GET', '/x', 200, 5, md5(n::text) "
            "FROM generate_series(1, %s) n",
            [tenant.id, calls],
        )
    with tenant.unit(Home.ACCOUNT) as unit:
        order = exports.begin_export(unit)
        unit.commit()
    tracemalloc.start()
    try:
        size = sum(map(len, exports.stream(tenant.units, order, None, "")))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > calls * 30
    return peak


@pytest.mark.parametrize("calls", [10_000, pytest.param(100_000, marks=pytest.mark.prove)])
def test_memory_does_not_grow(tenant: Made, postgres_server: Database, signed: None, calls: int) -> None:
    """Ten thousand rows and a hundred thousand need the same few megabytes."""
    assert _measure(tenant, postgres_server, calls) < 12_000_000


def test_a_closed_tenant_is_exported(tenant: Made, signed: None) -> None:
    """Suspended or deleted, as long as it can be restored."""
    for status in ("suspended", "deleted"):
        with tenant.unit(Home.ACCOUNT) as unit:
            unit.session.get_one(Tenant, tenant.id).status = status
            unit.commit()
        (row,) = lines(unpacked(take_out(tenant)), "control/tenants.ndjson")
        assert row["status"] == status
