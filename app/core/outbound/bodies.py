"""Bodies as they come in, decoded as far as a limit goes: no bomb unfolds in memory."""

import zlib


class Body:
    """Collects one response's body; `cut` says why it is not whole: size, time, broken, encoding; or None."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        self._parts: list[bytes] = []
        self._decoded = 0
        self._received = 0
        self._max = max_bytes
        self._decoder = zlib.decompressobj(47) if encoding in {"gzip", "x-gzip", "deflate"} else None
        self._raw_deflate = encoding == "deflate"
        self.cut: str | None = None if self._decoder or encoding in {"", "identity"} else "encoding"

    def take(self, data: bytes) -> bool:
        """Add what was received; return whether more is wanted."""
        self._received += len(data)
        try:
            part = self._decode(data)
        except zlib.error:
            self.cut = "encoding"
            return False
        self._decoded += len(part)
        self._parts.append(part)
        if self._decoded > self._max or self._received > self._max:
            self.cut = "size"
            return False
        return True

    def finish(self) -> bytes:
        """Return what there is, up to the limit."""
        if self._decoder is not None and self.cut is None and self._received and not self._decoder.eof:
            self.cut = "broken"
        return b"".join(self._parts)[: self._max]

    def _decode(self, data: bytes) -> bytes:
        if self._decoder is None:
            return data
        room = self._max - self._decoded + 1
        try:
            return self._decoder.decompress(data, room)
        except zlib.error:
            # "deflate" means zlib's format (RFC 9110, 8.4.1.2), but some servers send it bare.
            if not self._raw_deflate or self._decoded:
                raise
            self._raw_deflate = False
            self._decoder = zlib.decompressobj(-15)
            return self._decoder.decompress(data, room)
