"""The tenant of the work at hand, as a context variable."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from app.core.ids import new_id
from app.tenancy.context import current_tenant, require_tenant, tenant_scope

A, B = new_id(), new_id()


def test_nobody_at_first() -> None:
    """Without a scope there is no tenant, and to demand one is refused."""
    assert current_tenant() is None
    with pytest.raises(PermissionError):
        require_tenant()


def test_set_and_read() -> None:
    """Within a scope its tenant is read, by asking and by demanding."""
    with tenant_scope(A):
        assert current_tenant() == A
        assert require_tenant() == A


def test_what_was_before_is_restored() -> None:
    """Leaving a scope restores what was before, also after an error and out of nested ones."""
    with tenant_scope(A):
        with tenant_scope(B):
            assert require_tenant() == B
        assert require_tenant() == A
        with pytest.raises(ZeroDivisionError), tenant_scope(B):
            _ = 1 / 0
        assert require_tenant() == A
        with tenant_scope(None), pytest.raises(PermissionError):
            require_tenant()
        assert require_tenant() == A
    assert current_tenant() is None


def test_a_thread_begins_as_nobody() -> None:
    """A new thread has no tenant, and its own scope is seen by no other thread."""
    seen: dict[str, UUID | None] = {}
    inside, looked = threading.Event(), threading.Event()

    def work() -> None:
        seen["at first"] = current_tenant()
        with tenant_scope(B):
            inside.set()
            looked.wait(60)
            seen["within"] = current_tenant()

    with tenant_scope(A):
        thread = threading.Thread(target=work)
        thread.start()
        inside.wait(60)
        assert require_tenant() == A
        looked.set()
        thread.join()
        assert require_tenant() == A
    assert seen == {"at first": None, "within": B}


def test_a_pooled_thread_keeps_nothing() -> None:
    """A thread that is used again does not have the last work's tenant."""

    def work(tenant_id: UUID) -> tuple[UUID | None, UUID]:
        before = current_tenant()
        with tenant_scope(tenant_id):
            return before, require_tenant()

    with ThreadPoolExecutor(1) as pool:
        assert [pool.submit(work, each).result() for each in (A, B, A)] == [(None, A), (None, B), (None, A)]


def test_work_handed_over_with_its_context_keeps_its_tenant() -> None:
    """A copied context carries the tenant into another thread."""
    with tenant_scope(A):
        context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(context.run, require_tenant).result() == A


def test_tasks_do_not_mix() -> None:
    """A thousand interleaved asyncio tasks of many tenants each see their own throughout."""

    async def work(tenant_id: UUID) -> bool:
        with tenant_scope(tenant_id):
            for _ in range(5):
                await asyncio.sleep(0)
                if require_tenant() != tenant_id:
                    return False
                if await asyncio.create_task(child()) != tenant_id:
                    return False
        return current_tenant() is None

    async def child() -> UUID:
        await asyncio.sleep(0)
        return require_tenant()

    async def run() -> list[bool]:
        return list(await asyncio.gather(*(work(new_id()) for _ in range(1000))))

    assert all(asyncio.run(run()))
