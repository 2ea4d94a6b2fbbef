"""The graph's driver has one door."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
GATEWAY = Path("app/graph/gateway.py")


def _imports(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"__import__", "importlib.import_module"}:
            names |= {str(a.value).split(".")[0] for a in node.args if isinstance(a, ast.Constant)}
    return names


def test_only_the_gateway_knows_the_driver() -> None:
    """No module of the application but the gateway imports the driver; app/local, which knows no tenant, may ping."""
    users = {
        path.relative_to(ROOT)
        for path in (ROOT / "app").rglob("*.py")
        if "neo4j" in _imports(ast.parse(path.read_text()))
    }
    assert {path for path in users if not path.is_relative_to("app/local")} == {GATEWAY}


def test_sessions_are_opened_in_one_place() -> None:
    """One call in the gateway opens a session of the driver, one runs a statement."""
    called = [
        node.func.attr
        for node in ast.walk(ast.parse((ROOT / GATEWAY).read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    assert [called.count(name) for name in ("session", "begin_transaction", "run", "execute_query")] == [1, 1, 1, 0]


def test_constants_stand_in_one_module() -> None:
    """Named queries are made in queries.py alone, from literals: no text is put together."""
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "NamedQuery":
                assert path.relative_to(ROOT) == Path("app/graph/queries.py")
                assert isinstance(node.args[2], ast.Constant)
                assert not node.keywords or {keyword.arg for keyword in node.keywords} == {"most"}
