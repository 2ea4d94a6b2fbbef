"""`make clean-data` asks first."""

from pathlib import Path

import pytest

from app.local.__main__ import clean
from app.local.locks import RunLock


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state of a checkout that ran, and a cache that is no data."""
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    (tmp_path / "secrets.json").write_text("{}")
    (tmp_path / "cache").mkdir()
    return tmp_path


def test_without_a_terminal_nothing_is_removed(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that does not say YES=1 removes nothing."""
    monkeypatch.delenv("YES", raising=False)
    assert clean(state) == 1
    assert (state / "data").exists()
    assert "YES=1" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "removed"), [("y", True), ("yes", True), ("", False), ("n", False)])
def test_a_person_is_asked(state: Path, monkeypatch: pytest.MonkeyPatch, answer: str, removed: bool) -> None:
    """Only a yes removes the data."""
    monkeypatch.delenv("YES", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert clean(state) == (0 if removed else 1)
    assert (state / "data").exists() is not removed


def test_yes_removes_data_and_keys_alone(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """YES=1 removes the data and the keys with it, and no cache; a second time there is nothing to do."""
    monkeypatch.setenv("YES", "1")
    assert clean(state) == 0
    assert {path.name for path in state.iterdir()} == {"cache", "run.lock"}
    assert clean(state) == 0


def test_nothing_is_removed_beneath_a_run(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Sentinel runs from the checkout its data stay."""
    monkeypatch.setenv("YES", "1")
    monkeypatch.setattr(RunLock.take, "__defaults__", (0.2, 0.2))
    running = RunLock(state / "run.lock")
    running.take()
    assert clean(state) == 1
    assert (state / "data").exists()
    running.free()
