"""Every workflow and activity there is demands its tenant, because every one runs behind the one interceptor."""

import ast
import asyncio
import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import temporalio.worker as workers
from temporalio.testing import ActivityEnvironment

import app.workflows
from app.workflows.interceptors import HEADER, TenantInterceptor, TenantRefused

ROOT = Path(__file__).parents[2]


def modules() -> Iterator[Any]:
    """Yield every module of app.workflows."""
    for found in pkgutil.walk_packages(app.workflows.__path__, "app.workflows."):
        yield import_module(found.name)


def definitions(mark: str) -> dict[str, Any]:
    """Return what Temporal runs, by its qualified name: functions, methods or classes that bear `mark`."""
    found: dict[str, Any] = {}
    for module in modules():
        for _name, thing in inspect.getmembers(module):
            candidates = (
                [thing, *(value for _n, value in inspect.getmembers(thing))] if inspect.isclass(thing) else [thing]
            )
            for candidate in candidates:
                if hasattr(candidate, mark) and getattr(candidate, "__module__", "").startswith("app.workflows"):
                    found[candidate.__qualname__] = candidate
    return found


ACTIVITIES = definitions("__temporal_activity_definition")
WORKFLOWS = definitions("__temporal_workflow_definition")


def test_there_is_something_to_prove() -> None:
    """The enumeration finds the scan's workflow and its activities."""
    assert {"ScanWorkflow"} <= WORKFLOWS.keys()
    assert len(ACTIVITIES) >= 4


@pytest.mark.parametrize("name", sorted(ACTIVITIES))
def test_an_activity_without_the_header_does_not_begin(name: str) -> None:
    """The interceptor refuses each activity that comes without a tenant, before a line of it runs."""
    begun: list[str] = []

    class Body(workers.ActivityInboundInterceptor):
        def __init__(self) -> None:
            pass

        async def execute_activity(self, input: Any) -> None:
            begun.append(name)

    inbound = TenantInterceptor().intercept_activity(Body())
    work = workers.ExecuteActivityInput(fn=ACTIVITIES[name], args=(), executor=None, headers={})

    async def run() -> None:
        await ActivityEnvironment().run(inbound.execute_activity, work)

    with pytest.raises(TenantRefused):
        asyncio.run(run())
    assert begun == []
    assert HEADER


def calls(function: str) -> list[tuple[str, ast.Call]]:
    """Return every call of `function` in the application, with its file."""
    names = (function, f"worker.{function}", f"client.{function}")
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for path in sorted((ROOT / "app").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names
    ]


def test_workers_are_made_in_one_place() -> None:
    """One line makes workers; their client, made in one place too, carries the interceptor into them."""
    assert [path for path, _call in calls("Worker")] == ["app/workflows/hosts.py"]
    connects = calls("Client.connect")
    assert len(connects) == 1
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in connects[0][1].keywords}
    assert "TenantInterceptor()" in given["interceptors"]


def test_every_inbound_path_of_a_workflow_is_intercepted() -> None:
    """The workflow's interceptor overrides every way in that Temporal knows, so that a new one fails here."""
    found = TenantInterceptor().workflow_interceptor_class(None)  # type: ignore[arg-type]
    ways_in = {
        name for name, _value in inspect.getmembers(workers.WorkflowInboundInterceptor) if not name.startswith("_")
    }
    assert ways_in - {"init"} <= {name for cls in found.__mro__[:-2] for name in vars(cls)}
