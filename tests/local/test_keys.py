"""The keys of a checkout: random, kept, private."""

import base64
from pathlib import Path

import pytest

from app.local import keys
from app.local.children import LocalError


def test_the_file_is_private_and_kept(tmp_path: Path) -> None:
    """The keys stay the same from run to run, in a file that only its owner may read."""
    path = tmp_path / "secrets.json"
    made = keys.load(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert keys.load(path) == made
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_checkout_has_its_own(tmp_path: Path) -> None:
    """Two checkouts share no key, and the keys are 32 bytes."""
    one, two = keys.load(tmp_path / "one"), keys.load(tmp_path / "two")
    assert not set(one.values()) & set(two.values())
    assert all(len(base64.b64decode(one[name])) == 32 for name in ("SECRET_KEY", "MASTER_KEY", "KEY_PEPPER"))


def test_a_new_key_joins_the_old(tmp_path: Path) -> None:
    """A file of an older version gets what it lacks and loses nothing."""
    path = tmp_path / "secrets.json"
    path.write_text('{"MASTER_KEY": "old"}')
    assert keys.load(path)["MASTER_KEY"] == "old"
    assert len(keys.load(path)) > 5


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """A damaged file is never replaced (it encrypts data); one line names it and the remedy."""
    path = tmp_path / "secrets.json"
    path.write_text("{")
    with pytest.raises(LocalError, match=r"secrets.json is damaged.*clean-data"):
        keys.load(path)
    assert path.read_text() == "{"
