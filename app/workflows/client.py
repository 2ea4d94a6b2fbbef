"""The way to Temporal: one client with the tenant's header and the tenant's encryption built in."""

from temporalio.client import Client

from app.core.crypto import KeyRing
from app.core.settings import Settings
from app.workflows.codec import data_converter
from app.workflows.interceptors import TenantInterceptor
from app.workflows.names import queue_name, workflow_id

__all__ = ["connect", "queue_name", "workflow_id"]


async def connect(settings: Settings, keys: KeyRing) -> Client:
    """Return a connected client. Raises RuntimeError where Temporal does not answer."""
    return await connect_to(settings.temporal_address, settings.temporal_namespace, keys)


async def connect_to(address: str, namespace: str, keys: KeyRing) -> Client:
    """Return a client of the server at `address` (host:port). Raises RuntimeError where it does not answer."""
    return await Client.connect(
        address, namespace=namespace, data_converter=data_converter(keys), interceptors=[TenantInterceptor()]
    )
