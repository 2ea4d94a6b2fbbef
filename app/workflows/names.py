"""How tenants, scans and engagements are named in Temporal."""

from uuid import UUID

from app.core.ids import parse_id

QUEUE_PREFIX = "sentinel-"


def queue_name(tenant_id: UUID) -> str:
    """Return the name of the one task queue of a tenant."""
    return f"{QUEUE_PREFIX}{tenant_id}"


def workflow_id(tenant_id: UUID, engagement_id: UUID, scan_id: UUID) -> str:
    """Return the id of the workflow that carries out a scan; it begins with the tenant."""
    return f"{tenant_id}:{engagement_id}:{scan_id}"


def tenant_of_queue(queue: str) -> UUID | None:
    """Return the tenant whose queue this is, or None."""
    return parse_id(queue.removeprefix(QUEUE_PREFIX)) if queue.startswith(QUEUE_PREFIX) else None


def tenant_of_workflow(identifier: str | None) -> UUID | None:
    """Return the tenant at the head of a workflow id, or None."""
    return parse_id(identifier.partition(":")[0]) if identifier else None
