"""The one client for outbound traffic is the only way out."""

import ast
from pathlib import Path

import pytest

_APP = Path(__file__).parents[2] / "app"
_WAYS_OUT = frozenset(
    {
        "aiohttp",
        "asyncio.streams",
        "dns",
        "ftplib",
        "http.client",
        "httpcore",
        "httpx",
        "requests",
        "smtplib",
        "socket",
        "socketserver",
        "ssl",
        "urllib.request",
        "urllib3",
        "websockets",
        "xmlrpc.client",
    }
)
# Where and which, with the reason why that is no way out.
_EXCEPTIONS = {
    ("core/outbound/", "*"): "is the client",
    ("local/", "*"): "starts and finds servers on this machine, before the application exists",
    ("scanners/posture/", "ssl"): "chooses versions and ciphers for the client's handshake, and names its errors",
    ("scanners/posture/handshakes.py", "socket"): "names the type of the connection that the client opened",
    ("outbox/mailers.py", "smtplib"): "speaks to our own mail server, of the configuration",
    ("outbox/mailers.py", "ssl"): "does so over TLS",
    ("scanners/sandbox.py", "socket"): "speaks with its own child over a pair of sockets",
    ("scanners/zygotes.py", "socket"): "is that child",
    ("serving/probes.py", "socket"): "asks whether our own servers, of the configuration, listen",
}


def ways_out(source: str) -> list[str]:
    """Return the modules that this source imports and that open connections."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func).rpartition(".")[2]
            names = [str(node.args[0].value)] if called in {"import_module", "__import__"} else []
        else:
            continue
        found += [way for way in _WAYS_OUT if any(f"{name}.".startswith(f"{way}.") for name in names)]
    return sorted(set(found))


def test_only_the_outbound_client_opens_connections() -> None:
    """No module of the application but the named ones imports what reaches another machine over HTTP, TLS or DNS."""
    offenders = []
    for path in sorted(_APP.rglob("*.py")):
        place = path.relative_to(_APP).as_posix()
        for way in ways_out(path.read_text("utf-8")):
            if not any(place.startswith(where) and which in {"*", way} for where, which in _EXCEPTIONS):
                offenders.append(f"app/{place} imports {way}")
    assert offenders == []


# What reaches no further than a process of ours; `socket.socket(fileno=...)` wraps what is open already.
_PAIRS = frozenset({"socket.socketpair", "socket.send_fds", "socket.recv_fds"})


def test_the_scanners_make_no_socket_of_their_own() -> None:
    """Where a scanner names the type of a socket, it calls nothing of that module that reaches another machine."""
    for path in sorted((_APP / "scanners").rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        called = {ast.unparse(call.func) for call in calls if [k.arg for k in call.keywords] != ["fileno"]}
        assert not {name for name in called if name.startswith("socket.")} - _PAIRS, path.name


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import socket", ["socket"]),
        ("import os, ssl as s", ["ssl"]),
        ("from http.client import HTTPConnection", ["http.client"]),
        ("from http import client", ["http.client"]),
        ("def f():\n    from urllib.request import urlopen", ["urllib.request"]),
        ("import dns.resolver", ["dns"]),
        ("import importlib\nimportlib.import_module('httpx')", ["httpx"]),
        ("from http import HTTPStatus\nfrom urllib.parse import urlsplit\nimport socketless", []),
        ("from app.scanners import dns", []),
        ("from . import ssl", []),
    ],
)
def test_each_form_of_import_is_seen(source: str, expected: list[str]) -> None:
    """The check sees every form, and nothing that is none."""
    assert ways_out(source) == expected
