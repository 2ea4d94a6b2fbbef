"""docs/peer-holes.md names tests that exist."""

import ast
import re

from tests.peers.checkouts import ROOT

PAGE = ROOT / "docs/peer-holes.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ROW = re.compile(r"^\| (?!elsewhere|---)(.+?) \| (.+) \|$", re.M)


def functions_of(path: str) -> set[str]:
    """Return the tests of a module."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_hole_is_held_by_a_test_that_exists() -> None:
    """Every row names at least one test, each test that is named exists, and no hole stands there twice."""
    rows = ROW.findall(PAGE.read_text("utf-8"))
    assert len(rows) >= 35
    assert len({hole for hole, _ in rows}) == len(rows)
    for hole, held in rows:
        named = NAMED.findall(held)
        assert named, hole
        assert [name for path, name in named if name not in functions_of(path)] == [], hole
        assert NAMED.sub("", held).strip(" ,") == "", hole
