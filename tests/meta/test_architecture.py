"""The architecture, held by the code itself."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400
FORM = re.compile(r"<form\b[^>]*>(.*?)</form>", re.S | re.I)
POSTS = re.compile(r"<form\b[^>]*\bmethod=[\"']?post", re.I)
TOKEN = re.compile(r"csrf_token|form\.hidden_tag|csrf\(\)")


def modules(*places: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield the modules beneath the places, parsed."""
    for place in places:
        for path in sorted((ROOT / place).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def imported(tree: ast.Module) -> set[str]:
    """Return the modules that a module imports, whole names and their beginnings."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module)
    return names | {name.split(".")[0] for name in names}


def test_the_layers_hold() -> None:
    """Each layer imports only layers below it, as the contracts in pyproject.toml say."""
    done = subprocess.run(
        [ROOT / ".venv/bin/lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_package_is_empty() -> None:
    """app/__init__.py holds nothing: the sandbox of workflows imports it."""
    assert (ROOT / "app/__init__.py").read_bytes() == b""


def test_pages_and_resources_know_no_database() -> None:
    """No handler imports SQLAlchemy or a driver; it calls services."""
    allowed = {"app/api/routing.py": {"sqlalchemy"}}  # tells errors of the database from ours, to write the call down
    for path, tree in modules("app/web", "app/api"):
        assert imported(tree) & {"sqlalchemy", "psycopg", "alembic"} <= allowed.get(path, set()), path


def called(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls in a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node


OPENING = {"units.open", "units.identify", "units.reopen", "self._units.open", "self._units.identify"}


def test_services_do_not_commit_and_know_no_request() -> None:
    """Services get a unit and leave its commit to whoever opened it; what opens its own units says so here."""
    own_units = {
        "app/services/archivists.py": "the worker's thread, which opens units itself",
        "app/services/bookkeepers.py": "the worker's thread, which opens units itself",
        "app/services/censuses.py": "the worker's thread, which opens units itself",
        "app/services/demonstrations.py": "a command, which opens units itself",
        "app/services/erasers.py": "the worker's thread, which opens units itself",
        "app/services/failed_sign_ins.py": "the worker's thread, which opens units itself",
        "app/services/loops.py": "the worker's threads, whose transactions with the directory are their own",
        "app/services/sealers.py": "the worker's thread, which opens units itself",
        "app/services/stewards.py": "the worker's thread, which opens units itself",
        "app/services/sweepers.py": "the worker's thread, which opens units itself",
        "app/services/exports.py": "an archive, streamed by many short reads after the request's own unit",
        "app/services/effects.py": "handlers of the relay, which open units themselves",
    }
    for path, tree in modules("app/services"):
        assert "flask" not in imported(tree), path
        commits = [call for call in called(tree) if ast.unparse(call.func).endswith(".commit")]
        opens = [call for call in called(tree) if ast.unparse(call.func) in OPENING]
        if commits:
            assert path in own_units, f"{path} commits"
            assert opens, f"{path} commits what it did not open"


def test_one_place_makes_sessions_and_engines() -> None:
    """Sessions are made by the units of work, engines by app/db: nobody else opens a way to Postgres."""
    for path, tree in modules("app"):
        if path.startswith(("app/local/", "app/db/")):
            continue
        for call in called(tree):
            name = ast.unparse(call.func).rsplit(".", 1)[-1]
            assert name not in {"sessionmaker", "create_engine", "Session", "scoped_session"}, f"{path}: {name}"


def test_no_way_past_the_units_checks() -> None:
    """Nothing uses the ORM's bulk methods or tables without their class, which the criterion does not see."""
    refused = {"bulk_insert_mappings", "bulk_save_objects", "bulk_update_mappings", "__table__"}
    for path, tree in modules("app"):
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & refused
        assert not used, f"{path}: {used}"


@pytest.mark.parametrize("kind", ["app/**/*.py", "tests/**/*.py"])
def test_every_module_says_its_purpose(kind: str) -> None:
    """Every module but the empty package has a docstring."""
    for path in sorted(ROOT.glob(kind)):
        if path != ROOT / "app/__init__.py":
            assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path.relative_to(ROOT)


def test_no_module_is_long() -> None:
    """No module of the application is longer than 400 lines."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        assert len(path.read_text("utf-8").splitlines()) <= LONGEST, path.relative_to(ROOT)


def forms(text: str) -> list[str]:
    """Return the forms of a template that post."""
    return [match.group(0) for match in FORM.finditer(text) if POSTS.search(match.group(0))]


def test_every_form_carries_its_token() -> None:
    """Every form that posts holds a CSRF token."""
    count = 0
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for form in forms(path.read_text("utf-8")):
            count += 1
            assert TOKEN.search(form), f"{path.relative_to(ROOT)}: {form[:80]}"
    assert count >= 5


def test_a_form_without_its_token_is_seen() -> None:
    """The check sees forms that post, and no others."""
    assert not TOKEN.search(forms('<form method="post" action="/x"><button>Go</button></form>')[0])
    assert forms('<form method="get"><input></form>') == []


def filtered_on(tree: ast.AST) -> set[str]:
    """Return the columns named within filters and orders of queries."""
    found: set[str] = set()
    for call in called(tree):
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"where", "filter", "filter_by", "order_by"}:
            for part in (*call.args, *(keyword.value for keyword in call.keywords)):
                found |= {
                    node.attr
                    for node in ast.walk(part)
                    if isinstance(node, ast.Attribute)
                    and isinstance(node.value, ast.Name)
                    and node.value.id[:1].isupper()
                }
            found |= {str(keyword.arg) for keyword in call.keywords}
    return found


def test_nobody_filters_on_what_has_no_leakproof_comparison() -> None:
    """Columns of JSON and lists, which no index serves beneath a policy, are in no filter and no order."""
    from tests.peers.declarations import NOT_FILTERED

    for path, tree in modules("app"):
        assert not filtered_on(tree) & NOT_FILTERED, path
    assert filtered_on(ast.parse("select(Scan).where(Scan.notes == [])")) == {"notes"}
