"""The demonstration target: its faults are there, and it stays on this machine."""

import contextlib
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.outbound import Policy, Response, Unreachable, fetch, handshake
from app.scanners.ownership import challenge_value, check_file, proved

_ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def _target(state: Path) -> Iterator[tuple[str, str]]:
    command = [sys.executable, "-m", "app.local.target", "--http-port", "0", "--https-port", "0", "--state", str(state)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            plain, secure = process.stdout.readline().split()
            yield plain, secure
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with _target(tmp_path_factory.mktemp("target")) as addresses:
        yield addresses


def _policy(target: tuple[str, str]) -> Policy:
    return Policy(allowed=frozenset(address.partition("://")[2] for address in target))


def _get(target: tuple[str, str], address: str, **more: object) -> Response:
    return fetch("GET", address, _policy(target), verify=False, **more)


def test_the_start_page_has_its_faults_in_clear_and_under_tls(target: tuple[str, str]) -> None:
    """No way to TLS, no policy, loose cookies, a banner, reflected origins, mixed content, foreign scripts."""
    for address in target:
        got = _get(target, f"{address}/", headers={"Origin": "https://evil.example"})
        names = {name.lower() for name, _ in got.headers}
        assert (got.status, got.history) == (200, ())
        assert not names & {"content-security-policy", "strict-transport-security", "x-content-type-options"}
        assert got.values("set-cookie")[0] == "session=6f1c9e0b2d; Path=/"
        assert "2.4.29" in got.values("server")[0]
        assert got.values("access-control-allow-origin") == ["https://evil.example"]
        assert b'src="http://' in got.body
        assert b"integrity" not in got.body


def test_the_well_kept_page_has_none(target: tuple[str, str]) -> None:
    """One page is as it should be, to show that not everything is a finding."""
    got = _get(target, f"{target[1]}/well-kept")
    assert got.values("content-security-policy")[0].startswith("default-src 'none'")
    assert not got.values("server") + got.values("x-powered-by")
    assert all("Secure; HttpOnly; SameSite=Lax" in cookie for cookie in got.values("set-cookie"))


def test_the_pages_are_what_their_paths_say(target: tuple[str, str]) -> None:
    """A chain of redirects, a missing page, an expired security.txt; HEAD has no body."""
    assert [hop.status for hop in _get(target, f"{target[0]}/account").history] == [302, 302]
    assert _get(target, f"{target[0]}/nothing?x=1").status == 404
    assert b"Expires: 2024" in _get(target, f"{target[0]}/.well-known/security.txt").body
    assert fetch("HEAD", f"{target[0]}/", _policy(target)).body == b""
    assert fetch("POST", f"{target[0]}/", _policy(target), body=b"x" * 100).status == 200


def test_its_tls_is_old_and_its_certificate_is_its_own(target: tuple[str, str]) -> None:
    """TLS 1.0 is spoken, and the certificate is not trusted."""
    port = int(target[1].rpartition(":")[2])
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1
    with contextlib.closing(handshake("127.0.0.1", port, _policy(target), old)) as secured:
        assert secured.version() == "TLSv1"
    with pytest.raises(Unreachable):
        fetch("GET", f"{target[1]}/", _policy(target))


def test_a_silent_client_stops_nobody(target: tuple[str, str]) -> None:
    """A connection that never begins its handshake leaves the site answering."""
    with socket.create_connection(("127.0.0.1", int(target[1].rpartition(":")[2]))):
        assert _get(target, f"{target[1]}/well-kept").status == 200


def test_the_challenge_is_served_only_where_its_file_is(tmp_path: Path) -> None:
    """Without the file there is no proof; with it there is."""
    with _target(tmp_path) as target:
        assert not proved(check_file(target[0], "t", _policy(target)))
        (tmp_path / "sentinel-challenge.txt").write_text(challenge_value("t"))
        assert proved(check_file(target[0], "t", _policy(target)))
        assert proved(check_file(target[1], "t", _policy(target)))


def test_its_certificate_is_kept_and_its_key_is_private(tmp_path: Path) -> None:
    """A second start uses the same one; only the owner reads it; a broken one is replaced."""
    with _target(tmp_path):
        pem = tmp_path / "target.pem"
        first = pem.read_bytes()
    assert pem.stat().st_mode & 0o777 == 0o600
    with _target(tmp_path):
        assert pem.read_bytes() == first
    pem.write_bytes(b"broken")
    with _target(tmp_path):
        assert pem.read_bytes().startswith(b"-----BEGIN")


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port that another program holds ends in one line, and a status of 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "app.local.target", "--http-port", port, "--https-port", "0"]
        ended = subprocess.run([*command, "--state", tmp_path], cwd=_ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert port in ended.stderr
