"""What a machine cannot run is named at the end, and fails in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.checkouts import ROOT

INNER = """
from tests.plugins.absences import absent

def test_needs_a_browser():
    absent("Chromium", "install it")

def test_runs():
    assert True
"""


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_absence_is_named_and_fails_in_ci(tmp_path: Path, ci: str, status: int, workers: str) -> None:
    """A skipped test appears by reason in the summary; with CI=true the run fails, also when it is spread."""
    (tmp_path / "test_inner.py").write_text(INNER)
    command = [sys.executable, "-m", "pytest", "-p", "tests.plugins.absences", "-p", "no:cacheprovider"]
    command += ["-n", workers, "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "1 test: Chromium is not here: install it" in done.stdout, done.stdout + done.stderr
    assert done.returncode == status, done.stdout
