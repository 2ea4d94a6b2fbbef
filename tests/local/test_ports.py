"""Ports are remembered; a taken one is named."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.local.children import LocalError
from app.local.ports import Ports, free_port, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_wanted_port_that_is_taken_is_named(tmp_path: Path, taken: int) -> None:
    """PORT= of a taken port is an error that names port, program and remedy."""
    with pytest.raises(LocalError, match=rf"port {taken} is taken by process {os.getpid()} .*PORT="):
        Ports(tmp_path / "ports").web(str(taken), print)


@pytest.mark.parametrize("text", ["http", "0", "70000", "-1"])
def test_what_is_no_port_is_named(tmp_path: Path, text: str) -> None:
    """PORT= of something else says so."""
    with pytest.raises(LocalError, match="is no port"):
        Ports(tmp_path / "ports").web(text, print)


def test_the_usual_port_gives_way(tmp_path: Path, taken: int) -> None:
    """Without PORT a taken port is named and the next free one is used, and kept for the next run."""
    path = tmp_path / "ports"
    path.write_text(f'{{"web": {taken}}}')
    said: list[str] = []
    with Ports(path).web(None, said.append) as listening:
        port = listening.getsockname()[1]
        assert port != taken
        assert f"port {taken} is taken" in said[0]
        assert not is_free(port)
    with Ports(path).web(None, said.append) as again:
        assert again.getsockname()[1] == port


def test_ports_are_remembered_while_they_are_free(tmp_path: Path) -> None:
    """A server has the same port in the next run, unless somebody else listens there by then."""
    port = Ports(tmp_path / "ports").of("graph")
    assert Ports(tmp_path / "ports").of("graph") == port
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        assert Ports(tmp_path / "ports").of("graph") != port


def test_a_program_on_all_addresses_is_seen() -> None:
    """A port that somebody holds on every address is not free for us."""
    port = free_port()
    with socket.create_server(("0.0.0.0", port)):  # noqa: S104
        assert not is_free(port)


def test_ports_are_chosen_apart() -> None:
    """No port is chosen twice in a row of servers that are yet to start, nor one that the system may give away."""
    chosen = [free_port() for _ in range(50)]
    assert len(set(chosen)) == 50 and all(20_000 <= port < 32_768 for port in chosen)
