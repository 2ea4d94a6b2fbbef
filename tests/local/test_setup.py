"""The set-up: once from nothing, then hardly any time; what is missing is one line with its remedy."""

import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.checkouts import ROOT, bare_environment, copy_checkout


@pytest.fixture
def bare() -> Iterator[Path]:
    """A copy of the checkout in which nothing was set up."""
    directory = Path(tempfile.mkdtemp(prefix="checkout-"))
    yield copy_checkout(directory, with_environment=False)
    shutil.rmtree(directory, ignore_errors=True)


def set_up(directory: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the set-up as `make` does."""
    return subprocess.run(
        [sys._base_executable, "-m", "app.local.setup"],  # type: ignore[attr-defined]
        cwd=directory,
        env=bare_environment(environment),
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_needs_the_standard_library_alone() -> None:
    """The set-up imports nothing that is installed: it runs without site-packages."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import app.local.setup"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda root: (root / "requirements.lock").unlink(), "git checkout requirements.lock"),
        (lambda root: (root / "requirements.lock").write_text("flask==3.1.3\n"), "make lock"),
    ],
)
def test_what_is_missing_is_one_line(bare: Path, damage: "object", said: str) -> None:
    """A damaged checkout ends the set-up with one line that names the remedy."""
    assert callable(damage)
    damage(bare)
    (bare / ".venv" / "bin").mkdir(parents=True)
    (bare / ".venv" / "pyvenv.cfg").write_text("")
    (bare / ".venv" / "bin" / "python").symlink_to(sys.executable)
    done = set_up(bare)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_from_nothing_and_again(bare: Path) -> None:
    """With empty caches and no npm everything is installed and built; the second time nothing is said or done."""
    caches = {name: str(bare / "caches" / name) for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "npm_config_cache")}
    tools = bare / "tools"
    tools.mkdir()
    for tool in ("sh", "tar", "gzip", "uname"):
        found = shutil.which(tool)
        if found:
            (tools / tool).symlink_to(found)
    done = set_up(bare, PATH=str(tools), **caches)
    assert done.returncode == 0, done.stderr
    assert "installing the locked packages" in done.stdout
    assert (bare / "static" / "dist" / "manifest.json").exists()
    subprocess.run([str(bare / ".venv/bin/python"), "-c", "import flask, temporalio, neo4j"], check=True)

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    again = set_up(bare, PATH=str(tools), **caches)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (again.returncode, again.stdout) == (0, "")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5  # seconds of a processor
