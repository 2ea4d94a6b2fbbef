"""The demonstration target: a small web site on loopback with deliberate faults, for scans that need no proof.

`python -m app.local.target --http-port N --https-port N --state DIR` serves until it is told to stop. With port 0 the
system picks one; the line that is printed when both answer names them. Nothing here is real, and nothing is kept.
"""

import argparse
import signal
import socketserver
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from app.local.target_certificate import certificate_in
from app.local.target_pages import CHALLENGE_PATH, Page, page_at

_HOST = "127.0.0.1"
_MOST_BODY = 64 * 1024


class _Site(ThreadingHTTPServer):
    """One listener; knows whether it is the secure one, and where the challenge's file would be."""

    daemon_threads = True

    def __init__(self, port: int, challenge: Path, tls: ssl.SSLContext | None) -> None:
        self.challenge = challenge
        self.secure = tls is not None
        super().__init__((_HOST, port), _Handler)
        if tls is not None:
            # The handshake is left to the request's own thread: a silent client stops nobody else.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def server_bind(self) -> None:
        # HTTPServer's own looks the address up in DNS, which leaves the machine.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Scanners break connections on purpose: say nothing."""


class _Handler(BaseHTTPRequestHandler):
    server: _Site
    timeout = 10
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(page_at(self.path.split("?")[0], secure=self.server.secure))

    do_HEAD = do_GET
    do_OPTIONS = do_GET

    def do_POST(self) -> None:
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _MOST_BODY))
        self.close_connection = True
        self.do_GET()

    def _answer(self, page: Page) -> None:
        if self.path == CHALLENGE_PATH and self.server.challenge.is_file():
            page = Page(self.server.challenge.read_text("utf-8"), kind="text/plain; charset=utf-8")
        body = page.body.encode()
        self.send_response_only(page.status)
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in page.headers:
            self.send_header(name, value)
        origin = self.headers.get("Origin")
        if page.reflects_origin and origin and origin.isprintable():
            self.send_header("Access-Control-Allow-Origin", origin)
            self.send_header("Access-Control-Allow-Credentials", "true")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep no log: what is asked here is of no interest."""


def serve(http_port: int, https_port: int, state: Path) -> tuple[_Site, _Site]:
    """Start both listeners in threads of their own; return them, the plain one first. Raises OSError."""
    state.mkdir(parents=True, exist_ok=True)
    challenge = state / "sentinel-challenge.txt"
    tls = _lenient(certificate_in(state))
    sites = (_listen(http_port, challenge, None), _listen(https_port, challenge, tls))
    for site in sites:
        threading.Thread(target=site.serve_forever, name="target", daemon=True).start()
    return sites


def _listen(port: int, challenge: Path, tls: ssl.SSLContext | None) -> _Site:
    try:
        return _Site(port, challenge, tls)
    except OSError as error:
        raise OSError(error.errno, f"port {port}: {error.strerror}") from error


def _lenient(pem: Path) -> ssl.SSLContext:
    """Return a context that still speaks TLS 1.0, one of the site's faults."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.load_cert_chain(pem)
    return context


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m app.local.target", description=__doc__)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--https-port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    given = parser.parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        plain, secure = serve(given.http_port, given.https_port, given.state)
    except OSError as error:
        print(f"The demonstration target cannot start: {error.strerror}", file=sys.stderr)
        return 1
    print(f"http://{_HOST}:{plain.server_port} https://{_HOST}:{secure.server_port}", flush=True)
    stopped.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
