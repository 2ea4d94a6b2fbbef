"""Spreads a parallel run: a file stays on one worker, and so do all tests of the graphs."""

import pytest

GRAPHS = frozenset({"arcadedb", "bolt", "graph_uri", "neo4j_server", "neo4j_uri"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the group that `--dist loadgroup` keeps together."""
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        group = "graphs" if GRAPHS & set(getattr(item, "fixturenames", ())) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
