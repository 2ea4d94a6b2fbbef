"""The tenant of the work at hand, carried by a context variable: safe under threads and asyncio."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

_current: ContextVar[UUID | None] = ContextVar("sentinel_tenant", default=None)


def current_tenant() -> UUID | None:
    """Return the tenant of the work at hand, or None."""
    return _current.get()


def require_tenant() -> UUID:
    """Return the tenant of the work at hand. Raises PermissionError where there is none."""
    tenant_id = _current.get()
    if tenant_id is None:
        raise PermissionError("no tenant in this context")
    return tenant_id


@contextmanager
def tenant_scope(tenant_id: UUID | None) -> Iterator[None]:
    """Make `tenant_id` the tenant within the block (None: nobody's); what was before is restored on leaving."""
    token = _current.set(tenant_id)
    try:
        yield
    finally:
        _current.reset(token)
