"""A ZIP archive that is written to nowhere: each part is handed on as soon as it is packed."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

# Text packs well at any level; a higher one costs the process more than it saves the reader.
LEVEL = 3


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive: its size before packing, its lines, its hash, and what else the manifest says of it."""

    name: str
    bytes: int
    rows: int
    sha256: str
    facts: dict[str, Any]


class _Sink:
    """Takes what zipfile writes. It cannot seek, so that sizes follow each file and nothing is written twice."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self) -> Iterator[bytes]:
        """Yield what was written since, if anything."""
        taken = b"".join(self._parts)
        self._parts.clear()
        if taken:
            yield taken


class Archive:
    """An archive in the making; in memory are one part of one file and the list of files."""

    def __init__(self, at: datetime) -> None:
        self._at = at.timetuple()[:6]
        self._sink = _Sink()
        self._zip = ZipFile(cast(IO[bytes], self._sink), "w", ZIP_DEFLATED, allowZip64=True)
        self.members: list[Member] = []

    def add(self, name: str, parts: Iterable[bytes], **facts: Any) -> Iterator[bytes]:
        """Pack a file; its parts end with whole lines. Its member is there when the last part is handed on."""
        digest, size, rows = hashlib.sha256(), 0, 0
        info = ZipInfo(name, self._at)
        info.compress_type, info.external_attr = ZIP_DEFLATED, 0o644 << 16
        info._compresslevel = LEVEL  # type: ignore[attr-defined]
        with self._zip.open(info, "w", force_zip64=True) as member:
            for part in parts:
                digest.update(part)
                size, rows = size + len(part), rows + part.count(b"\n")
                member.write(part)
                yield from self._sink.take()
        yield from self._sink.take()
        self.members.append(Member(name, size, rows, digest.hexdigest(), facts))

    def close(self) -> Iterator[bytes]:
        """Yield the end, without which the archive does not open."""
        self._zip.close()
        yield from self._sink.take()
