"""The application's test client, answered by real web processes: what asks in a test asks them over HTTP."""

import http.client
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response


class Proxied:
    """Stands for an application whose requests another process answers, each over a connection of its own."""

    def __init__(self, app: Flask, port: int) -> None:
        self.view_functions = app.view_functions
        self.url_map = app.url_map
        self._port = port

    def test_client(self) -> Client:
        """Return a client that keeps its own cookies."""
        return Client(self)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        hidden = {"connection", "content-length", "transfer-encoding"}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in hidden}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(request.method, request.full_path, request.get_data(), headers)
            answer = connection.getresponse()
            told = Headers([(name, value) for name, value in answer.getheaders() if name.lower() not in hidden])
            return Response(answer.read(), answer.status, told)(environ, start_response)
        finally:
            connection.close()
