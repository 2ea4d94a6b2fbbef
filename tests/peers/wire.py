"""A server on loopback that sends exactly the bytes it is told to, as slowly as it is told to."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Handler = Callable[[socket.socket, bytes], None]


class WirePeer:
    """Reads one request's head, with what came along, keeps it in `requests`, and runs the handler.

    An eager one does not wait for the head's end.
    """

    def __init__(
        self,
        handler: Handler,
        address: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        *,
        eager: bool = False,
    ) -> None:
        self.requests: list[bytes] = []
        self._handler = handler
        self._tls = tls
        self._eager = eager
        self._listener = socket.create_server((address, port))
        self.address, self.port = self._listener.getsockname()[:2]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """`address:port`, as a policy's exception is written."""
        return f"{self.address}:{self.port}"

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                data = connection.recv(65536)
                head += data
                if not data or self._eager:
                    break
            self.requests.append(head)
            self._handler(connection, head)
        with contextlib.suppress(OSError):
            connection.close()


def says(*parts: bytes) -> Handler:
    """Return a handler that sends these bytes and hangs up."""

    def handler(connection: socket.socket, _request: bytes) -> None:
        for part in parts:
            connection.sendall(part)

    return handler


def answer(body: bytes = b"", *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a whole answer in HTTP/1.1."""
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([b"HTTP/1.1 " + status, *headers, length, b"", body])


def moved(place: str, status: bytes = b"302 Found") -> bytes:
    """Return an answer that redirects to `place`."""
    return answer(b"", b"Location: " + place.encode(), status=status)


@contextmanager
def wire_peer(
    handler: Handler,
    address: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    *,
    eager: bool = False,
) -> Iterator[WirePeer]:
    """Run a WirePeer for the length of a block."""
    peer = WirePeer(handler, address, port, tls, eager=eager)
    try:
        yield peer
    finally:
        peer.close()
