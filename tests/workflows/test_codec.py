"""What Temporal keeps is encrypted for one tenant and one workflow."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    NexusSerializationContext,
    SerializationContext,
    WorkflowSerializationContext,
)

from app.workflows.codec import PayloadRefused, TenantCodec
from app.workflows.names import workflow_id
from tests.peers.keyrings import MemoryKeyRing

PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"needle"')


def workflow(identifier: str) -> SerializationContext:
    return WorkflowSerializationContext("default", identifier)


def activity(identifier: str | None) -> SerializationContext:
    return ActivitySerializationContext("default", "1", "probe", "q", identifier, "ScanWorkflow", False)


def encode(codec: TenantCodec, payload: Payload = PLAIN) -> list[Payload]:
    return asyncio.run(codec.encode([payload]))


def decode(codec: TenantCodec, payloads: Sequence[Payload]) -> list[Payload]:
    return asyncio.run(codec.decode(payloads))


def test_a_payload_opens_again_in_its_workflow_and_in_that_workflow_s_activities(tenant_id: UUID) -> None:
    """Workflow and activity contexts of one workflow id read each other's payloads."""
    codec, identifier = TenantCodec(MemoryKeyRing()), workflow_id(tenant_id, uuid4(), uuid4())
    sealed = encode(codec.with_context(workflow(identifier)))
    assert decode(codec.with_context(activity(identifier)), sealed) == [PLAIN]


def test_neither_data_nor_metadata_stay_readable(tenant_id: UUID) -> None:
    """The sealed payload holds neither the text nor its encoding's name, and no two are alike."""
    codec = TenantCodec(MemoryKeyRing()).with_context(workflow(workflow_id(tenant_id, uuid4(), uuid4())))
    first, second = encode(codec)[0].SerializeToString(), encode(codec)[0].SerializeToString()
    assert b"needle" not in first
    assert b"json" not in first
    assert first != second


def test_a_payload_of_another_workflow_is_refused(tenant_id: UUID) -> None:
    """A payload moved to another workflow of the same tenant does not open."""
    codec = TenantCodec(MemoryKeyRing())
    sealed = encode(codec.with_context(workflow(workflow_id(tenant_id, uuid4(), uuid4()))))
    with pytest.raises(PayloadRefused):
        decode(codec.with_context(workflow(workflow_id(tenant_id, uuid4(), uuid4()))), sealed)


def test_a_payload_of_another_tenant_is_refused(tenant_id: UUID) -> None:
    """A payload of another tenant does not open, even where engagement and scan are the same."""
    codec, rest = TenantCodec(MemoryKeyRing()), (uuid4(), uuid4())
    sealed = encode(codec.with_context(workflow(workflow_id(tenant_id, *rest))))
    with pytest.raises(PayloadRefused):
        decode(codec.with_context(workflow(workflow_id(uuid4(), *rest))), sealed)


@pytest.mark.parametrize(
    "context",
    [None, activity(None), activity("loose"), workflow("loose"), NexusSerializationContext("e", "s", "o")],
    ids=["none", "activity alone", "activity of nobody", "workflow of nobody", "nexus"],
)
def test_without_a_tenant_s_workflow_nothing_is_encoded_or_decoded(
    tenant_id: UUID, context: SerializationContext | None
) -> None:
    """Where the context names no tenant's workflow the codec refuses both ways."""
    codec = TenantCodec(MemoryKeyRing())
    sealed = encode(codec.with_context(workflow(workflow_id(tenant_id, uuid4(), uuid4()))))
    bare = codec if context is None else codec.with_context(context)
    with pytest.raises(PayloadRefused):
        encode(bare)
    with pytest.raises(PayloadRefused):
        decode(bare, sealed)


def test_a_context_does_not_outlive_the_next(tenant_id: UUID) -> None:
    """A codec that was bound to a workflow is bound to none after a context that names none."""
    bound = TenantCodec(MemoryKeyRing()).with_context(workflow(workflow_id(tenant_id, uuid4(), uuid4())))
    with pytest.raises(PayloadRefused):
        encode(bound.with_context(NexusSerializationContext("e", "s", "o")))


def test_a_payload_in_clear_is_refused(tenant_id: UUID) -> None:
    """What somebody else put into Temporal in clear is not read."""
    codec = TenantCodec(MemoryKeyRing()).with_context(workflow(workflow_id(tenant_id, uuid4(), uuid4())))
    with pytest.raises(PayloadRefused):
        decode(codec, [PLAIN])


def test_a_changed_payload_is_refused(tenant_id: UUID) -> None:
    """One flipped bit, or a cut, and the payload does not open."""
    codec = TenantCodec(MemoryKeyRing()).with_context(workflow(workflow_id(tenant_id, uuid4(), uuid4())))
    sealed = encode(codec)[0]
    flipped = Payload(metadata=dict(sealed.metadata), data=sealed.data[:-1] + bytes([sealed.data[-1] ^ 1]))
    cut = Payload(metadata=dict(sealed.metadata), data=sealed.data[:8])
    for changed in (flipped, cut):
        with pytest.raises(PayloadRefused):
            decode(codec, [changed])


def test_a_destroyed_key_closes_everything(tenant_id: UUID) -> None:
    """Once the tenant's key is gone, what was sealed with it does not open."""
    keys, identifier = MemoryKeyRing(), workflow_id(tenant_id, uuid4(), uuid4())
    sealed = encode(TenantCodec(keys).with_context(workflow(identifier)))
    keys.destroy(tenant_id)
    with pytest.raises(PayloadRefused):
        decode(TenantCodec(keys).with_context(workflow(identifier)), sealed)


def test_a_key_ring_out_of_reach_is_waited_for(tenant_id: UUID) -> None:
    """A database that is away for a moment delays a payload and refuses none."""

    class Faltering(MemoryKeyRing):
        calls = 0

        def data_key(self, tenant_id: UUID) -> bytes:
            self.calls += 1
            if self.calls < 3:
                raise ConnectionError("away")
            return super().data_key(tenant_id)

    codec = TenantCodec(Faltering()).with_context(workflow(workflow_id(tenant_id, uuid4(), uuid4())))
    assert decode(codec, encode(codec)) == [PLAIN]
