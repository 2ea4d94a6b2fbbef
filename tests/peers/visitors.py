"""A person at a browser without scripts: follows links, fills forms, keeps cookies."""

import re
import secrets
from html import unescape

from flask import Flask
from werkzeug.test import TestResponse

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Person:
    """Asks the application as a browser would; forms carry the token of the last page seen."""

    def __init__(self, app: Flask, base_url: str) -> None:
        self.client = app.test_client()
        self.base_url = base_url
        self.token = ""
        self.slug = ""
        self.email = ""
        self.password = ""

    def get(self, path: str, **more: object) -> TestResponse:
        answer = self.client.get(path, base_url=self.base_url, **more)  # type: ignore[arg-type]
        self._remember(answer)
        return answer

    def post(self, path: str, data: dict[str, object] | None = None, **more: object) -> TestResponse:
        headers = {"Referer": f"{self.base_url}/", **dict(more.pop("headers", {}))}  # type: ignore[call-overload]
        form = {"csrf_token": self.token, **(data or {})}
        answer = self.client.post(path, base_url=self.base_url, data=form, headers=headers, **more)  # type: ignore[arg-type]
        self._remember(answer)
        return answer

    def at(self, path: str) -> str:
        """Return the address of a page of the person's own tenant."""
        return f"/t/{self.slug}{path}"

    def sign_up(self, company: str = "Acme & Söhne") -> "Person":
        """Sign a new company up; the person is its owner."""
        mark = secrets.token_hex(4)
        self.slug, self.email, self.password = f"v-{mark}", f"v-{mark}@example.com", secrets.token_urlsafe(16)
        self.get("/signup")
        form = {"company": company, "slug": self.slug, "name": "Vera", "email": self.email, "password": self.password}
        answer = self.post("/signup", dict(form))
        assert answer.status_code == 303, answer.text
        return self

    def _remember(self, answer: TestResponse) -> None:
        if answer.mimetype == "text/html" and (found := TOKEN.search(answer.text)):
            self.token = unescape(found.group(1))
