"""Encrypts all that Temporal keeps, with the tenant's data key and bound to the workflow it belongs to.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce; the workflow id is associated data, so that a payload moved
to another workflow, even of the same tenant, does not open. Work without a workflow (standalone activities, Nexus) is
refused.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from temporalio.exceptions import ApplicationError

from app.core.crypto import KeyRing
from app.workflows.names import tenant_of_workflow

ENCODING = b"binary/sentinel-aes256gcm"
_NONCE_BYTES = 12
_FRESH_SECONDS = 5.0
# A workflow task lasts 10 s: a database that is away for less costs no failed task.
_PATIENCE_SECONDS = 6.0
_PAUSE_SECONDS = 0.25


class PayloadRefused(ApplicationError):
    """A payload that is not this workflow's, or not ours at all; trying again does not help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, type="PayloadRefused", non_retryable=True)


@dataclass(frozen=True)
class _Held:
    key_id: bytes
    cipher: AESGCM
    until: float


class HeldKeys:
    """Keys at hand for seconds, and for as long as the key ring cannot be reached; a key that is gone is forgotten."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._held: dict[UUID, _Held] = {}

    async def of(self, tenant_id: UUID) -> _Held:
        """Return the tenant's key. Raises PayloadRefused where there is none; waits a little for the key ring."""
        held = self._held.get(tenant_id)
        if held is not None and time.monotonic() < held.until:
            return held
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                key = await asyncio.to_thread(self._keys.data_key, tenant_id)
            except LookupError:
                self._held.pop(tenant_id, None)
                raise PayloadRefused("the tenant has no data key") from None
            except Exception:
                if held is not None:
                    return held
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._held[tenant_id] = fresh = _Held(_key_id(key), AESGCM(key), time.monotonic() + _FRESH_SECONDS)
            return fresh


def _key_id(key: bytes) -> bytes:
    """Return a name for a key that tells nothing about it."""
    return hashlib.sha256(b"sentinel data key\0" + key).hexdigest()[:16].encode()


class TenantCodec(PayloadCodec, WithSerializationContext):
    """Encrypts and decrypts the payloads of one workflow; without a workflow it does neither."""

    def __init__(self, keys: KeyRing | HeldKeys, identifier: str | None = None) -> None:
        self._keys = keys if isinstance(keys, HeldKeys) else HeldKeys(keys)
        self._workflow_id = identifier

    def with_context(self, context: SerializationContext) -> "TenantCodec":
        """Return the codec of the workflow that `context` names; of none where it names none."""
        if isinstance(context, WorkflowSerializationContext | ActivitySerializationContext):
            return TenantCodec(self._keys, context.workflow_id)
        return TenantCodec(self._keys, None)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt each payload, its metadata included. Raises PayloadRefused outside a tenant's workflow."""
        held, bound = await self._open()
        return [_seal(payload, held, bound) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt each payload. Raises PayloadRefused for one in clear, of another workflow or under another key."""
        held, bound = await self._open()
        return [_unseal(payload, held, bound) for payload in payloads]

    async def _open(self) -> tuple[_Held, bytes]:
        tenant_id = tenant_of_workflow(self._workflow_id)
        if self._workflow_id is None or tenant_id is None:
            raise PayloadRefused("a payload outside a tenant's workflow")
        return await self._keys.of(tenant_id), b"sentinel payload\0" + self._workflow_id.encode()


def _seal(payload: Payload, held: _Held, bound: bytes) -> Payload:
    nonce = os.urandom(_NONCE_BYTES)
    sealed = held.cipher.encrypt(nonce, payload.SerializeToString(), bound)
    return Payload(metadata={"encoding": ENCODING, "key": held.key_id}, data=nonce + sealed)


def _unseal(payload: Payload, held: _Held, bound: bytes) -> Payload:
    if payload.metadata.get("encoding") != ENCODING:
        raise PayloadRefused("a payload in clear")
    if payload.metadata.get("key") != held.key_id:
        raise PayloadRefused("a payload under another key")
    nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
    try:
        return Payload.FromString(held.cipher.decrypt(nonce, sealed, bound))
    except (InvalidTag, ValueError):
        raise PayloadRefused("a payload that does not belong here") from None


def data_converter(keys: KeyRing) -> DataConverter:
    """Return the converter of every client and worker: JSON, encrypted, the words of failures included."""
    return DataConverter(
        payload_codec=TenantCodec(keys), failure_converter_class=DefaultFailureConverterWithEncodedAttributes
    )
