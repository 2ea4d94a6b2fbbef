"""No SQL is put together from strings: values travel as parameters, so that nobody sets a tenant by injection."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = {"execute", "exec_driver_sql", "executemany", "scalar", "scalars", "text", "stream", "copy", "run_sql"}
# Where and why: each puts together what no request can reach.
EXCEPTIONS = {
    "app/db/engines.py": "BEGIN with a UUID of our own type and a schema checked by a pattern",
    "app/outbox/relay.py": "LISTEN on the constant CHANNEL",
    "app/outbox/wakers.py": "NOTIFY on the constant CHANNEL",
    "app/local/roles.py": "roles and databases, by a superuser, before there is a tenant",
}


def built(node: ast.expr) -> bool:
    """Tell whether an expression puts a string together: f-string with values, format, %, + or join."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
        return not (constant(node.left) and constant(node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in {"format", "join", "replace", "format_map"} or (
            node.func.attr == "encode" and (built(node.func.value) or isinstance(node.func.value, ast.Name))
        )
    return False


def constant(node: ast.expr) -> bool:
    """Tell whether an expression is a literal string."""
    return isinstance(node, ast.Constant)


def offences(source: str) -> list[int]:
    """Return the lines where a statement is run, or made to run, that was put together."""
    tree = ast.parse(source)
    assigned: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            assigned.setdefault(node.target.id, []).append(ast.BinOp(node.target, ast.Add(), node.value))
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        values = assigned.get(first.id, []) if isinstance(first, ast.Name) else [first]
        if (name in RUNS and any(built(value) for value in values)) or (
            name in {"literal_column", "TextClause", "literal"} and not constant(first)
        ):
            found.append(node.lineno)
    return found


def test_no_sql_is_put_together() -> None:
    """Outside the few named modules every statement that is run is a literal or made by SQLAlchemy's own terms."""
    found = {
        path.relative_to(ROOT).as_posix(): lines
        for path in sorted((ROOT / "app").rglob("*.py"))
        if (lines := offences(path.read_text("utf-8")))
    }
    assert {path: lines for path, lines in found.items() if path not in EXCEPTIONS} == {}


@pytest.mark.parametrize(
    "source",
    [
        "session.execute(text(f'SELECT * FROM {table}'))",
        "session.execute(text('SELECT ' + name))",
        "session.execute(text('SELECT %s' % name))",
        "session.execute(text('SELECT {}'.format(name)))",
        "connection.execute(f'SET x = {y}'.encode())",
        "query = f'SELECT {x}'\nsession.execute(query)",
        "query = 'SELECT'\nquery += name\nsession.execute(query)",
        "cursor.executemany(', '.join(parts))",
        "connection.exec_driver_sql(statement.replace('a', b))",
        "literal_column(name)",
    ],
)
def test_each_form_is_seen(source: str) -> None:
    """The lint sees every form of putting a statement together."""
    assert offences(source)


@pytest.mark.parametrize(
    "source",
    [
        "session.execute(text('SELECT 1'))",
        "session.execute(text('SELECT 1 ' 'FROM x'), {'a': f'{b}'})",
        "session.execute(select(Scan).where(Scan.id == x))",
        "session.scalar(statement)",
        "log.info(f'{x}')",
    ],
)
def test_literals_pass(source: str) -> None:
    """Literals, parameters and SQLAlchemy's own terms are no offence."""
    assert offences(source) == []
