"""The mail of a test."""

from pathlib import Path

import pytest

from app.db.units import Units
from tests.peers.letters import Letters


@pytest.fixture
def letters(worker_units: Units, tmp_path: Path) -> Letters:
    """Mail as the worker sends it, into a folder of this test's own."""
    return Letters(worker_units, tmp_path / "mail")
