"""Nothing in the repository is bound to one machine or one registry."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Put together here, so that this file does not hold them.
MACHINE = re.compile("|".join([r"(?<![\w.-])/" + top + r"/[a-z0-9_.-]+" for top in ("work", "home", "Users", "root")]))
REGISTRY = re.compile(
    r"(?:https?://|//|@|=)[\w.-]*(?:pypi|npmjs|registry|artifactory|nexus|jfrog|maven|mirror|proxy)[\w-]*\.[\w.-]+",
    re.I,
)
# A package's page for people, the name of an XML vocabulary, and names that nobody can own.
HARMLESS = re.compile(
    r"https?://(?:www\.)?(?:pypi\.org/project|npmjs\.com/package)/|http://maven\.apache\.org/(?:POM|xsd)"
    r"|//[\w.-]+\.(?:example|invalid|test)\b"
)
BINARY = {".png", ".ico", ".woff", ".woff2", ".gz", ".pdf", ".jpg", ".zip"}


def tracked() -> Iterator[tuple[str, str]]:
    """Yield the tracked text files."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if (
            path.is_file()
            and not path.is_symlink()
            and path.suffix not in BINARY
            and name != "tests/meta/test_paths.py"
        ):
            yield name, path.read_text("utf-8", errors="replace")


def test_no_path_of_a_machine() -> None:
    """No tracked file names a directory of somebody's machine."""
    found = {f"{name}: {match.group(0)}" for name, text in tracked() for match in MACHINE.finditer(text)}
    assert found == set()


def test_no_registry() -> None:
    """No tracked file names the host of a package registry: each machine brings its own configuration."""
    found = {
        f"{name}: {match.group(0)}" for name, text in tracked() for match in REGISTRY.finditer(HARMLESS.sub("", text))
    }
    assert found == set()


@pytest.mark.parametrize("lock", ["requirements.lock", "package-lock.json"])
def test_locks_hold_no_address(lock: str) -> None:
    """The locks pin by version and digest, and hold no address but those of people's home pages for funding."""
    text = (ROOT / lock).read_text()
    assert "resolved" not in text
    assert "--index-url" not in text and "--find-links" not in text
    if lock == "requirements.lock":
        assert "://" not in text


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("see /" + "work/tree/app", MACHINE),
        ("/" + "home/someone", MACHINE),
        ("https://" + "registry.npmjs.org/x", REGISTRY),
        ("--index-url=https://pypi" + ".example.com/simple", REGISTRY),
    ],
)
def test_each_is_seen(text: str, pattern: re.Pattern[str]) -> None:
    """The patterns find what they are for."""
    assert pattern.search(text)
