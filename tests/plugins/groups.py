"""Spreads a parallel run: a file stays on one worker, and so do all tests of one costly server."""

import pytest

COSTLY = ("neo4j_uri", "graph_uri", "chromium_path")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the group that `--dist loadgroup` keeps together."""
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        names = getattr(item, "fixturenames", ())
        costly = next((name for name in COSTLY if name in names), None)
        group = "graph" if costly in ("neo4j_uri", "graph_uri") else costly or str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
