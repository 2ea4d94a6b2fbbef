"""The stream that the HTTP library reads and writes: one socket whose waits all end at one deadline."""

import socket
import ssl
from typing import Any

import httpcore

from app.core.outbound.policies import Deadline, Policy


class Stream(httpcore.NetworkStream):
    """An open connection as httpcore sees it; the deadline's Unreachable passes through."""

    def __init__(self, connection: socket.socket, policy: Policy, deadline: Deadline) -> None:
        self._connection = connection
        self._policy = policy
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._connection.settimeout(self._wait(timeout))
        try:
            return self._connection.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._connection.settimeout(self._wait(timeout))
        try:
            self._connection.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.WriteError(str(error)) from None

    def _wait(self, asked: float | None) -> float:
        most = self._policy.read_seconds
        return self._deadline.left(most if asked is None else min(asked, most))

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        raise NotImplementedError("the connection is secured before it becomes a stream")

    def get_extra_info(self, info: str) -> Any:
        return self._connection if info == "socket" else None
