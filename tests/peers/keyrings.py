"""Data keys in memory."""

import hashlib
from uuid import UUID


class MemoryKeyRing:
    """Makes each tenant's key from a seed, so that recorded histories open again; keys can be destroyed."""

    def __init__(self, seed: bytes = b"tests") -> None:
        self._seed = seed
        self._destroyed: set[UUID] = set()

    def data_key(self, tenant_id: UUID) -> bytes:
        if tenant_id in self._destroyed:
            raise LookupError("no key")
        return hashlib.sha256(self._seed + tenant_id.bytes).digest()

    def destroy(self, tenant_id: UUID) -> None:
        self._destroyed.add(tenant_id)
