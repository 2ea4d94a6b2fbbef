"""Checking an export offline: the archive and the public key, and nothing else."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile
from zlib import error as PackingError

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.services.export_files import FORMAT, MANIFEST, SIGNATURE, VERSION
from app.services.signatures import Unreadable, canonical

CHUNK = 1 << 20
MOST_MANIFEST = 16 << 20


@dataclass
class Verdict:
    """What was found: `faults` in words; whose export it is, and of when."""

    files: int = 0
    rows: int = 0
    tenant: str = ""
    at: str = ""
    graph: str = ""
    faults: list[str] = field(default_factory=list)


def verify(file: BinaryIO, key: Ed25519PublicKey) -> Verdict:
    """Check every file of the archive against its signed manifest, in constant memory. Raises Unreadable."""
    try:
        with ZipFile(file) as archive:
            return _verify(archive, key)
    except (BadZipFile, PackingError, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Unreadable(f"the archive does not open: {error}") from error


def _verify(archive: ZipFile, key: Ed25519PublicKey) -> Verdict:
    names = Counter(archive.namelist())
    if MANIFEST not in names or SIGNATURE not in names:
        raise Unreadable("the archive holds no signed manifest")
    told = _small(archive, MANIFEST)
    try:
        listed = json.loads(told)
        if listed["format"] != FORMAT or listed["version"] != VERSION:
            raise Unreadable("the archive is of a format that is not known here")
        files = {str(each["name"]): each for each in listed["files"]}
        verdict = Verdict(tenant=str(listed["tenant"]["id"]), at=str(listed["ordered"]["at"]), graph=listed["graph"])
        export = str(listed["export"])
    except (KeyError, TypeError) as error:
        raise Unreadable("the manifest is not one of an export") from error
    signed = {"kind": FORMAT, "manifest": hashlib.sha256(told).hexdigest(), "tenant": verdict.tenant, "export": export}
    verdict.faults += _signature_faults(_small(archive, SIGNATURE), key, signed)
    verdict.faults += [f"{name} is there more than once" for name, times in names.items() if times > 1]
    verdict.faults += [f"{name} was added" for name in sorted(names.keys() - files.keys() - {MANIFEST, SIGNATURE})]
    for name, facts in files.items():
        verdict.faults += _file_faults(archive, name, facts) if name in names else [f"{name} is missing"]
        verdict.files, verdict.rows = verdict.files + 1, verdict.rows + int(facts["rows"])
    return verdict


def _small(archive: ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        read = member.read(MOST_MANIFEST + 1)
    if len(read) > MOST_MANIFEST:
        raise Unreadable(f"{name} is too large")
    return read


def _signature_faults(text: bytes, key: Ed25519PublicKey, expected: dict[str, str]) -> Iterator[str]:
    try:
        signed: dict[str, Any] = json.loads(text)
        statement, signature = signed["statement"], bytes.fromhex(signed["signature"])
        key.verify(signature, canonical(statement))
    except (InvalidSignature, ValueError, KeyError, TypeError):
        yield "the manifest's signature is not of this key"
        return
    for name, value in expected.items():
        if statement.get(name) != value:
            yield f"the manifest is not the one that was signed: {name} differs"


def _file_faults(archive: ZipFile, name: str, facts: dict[str, Any]) -> list[str]:
    digest, size, rows = hashlib.sha256(), 0, 0
    try:
        with archive.open(name) as member:
            while part := member.read(CHUNK):
                digest.update(part)
                size, rows = size + len(part), rows + part.count(b"\n")
                if size > int(facts["bytes"]):
                    break
    except (BadZipFile, PackingError, EOFError) as error:
        return [f"{name} does not unpack: {error}"]
    if (size, rows, digest.hexdigest()) != (facts["bytes"], facts["rows"], facts["sha256"]):
        return [f"{name} was changed"]
    return []
