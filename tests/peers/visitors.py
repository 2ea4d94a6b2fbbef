"""A person at a browser without scripts: follows links, fills forms, keeps cookies."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from html import unescape

from flask import Flask
from werkzeug.test import TestResponse

from app.core.crypto import new_token, token_hash
from app.core.settings import settings
from app.db import people
from app.db.opening import open_units
from tests.peers.tenants import Made

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
SECRET = re.compile(r'id="secret-value"[^>]*>([^<]+)<')


class Person:
    """Asks the application as a browser would; forms carry the token of the last page seen."""

    def __init__(self, app: Flask, base_url: str) -> None:
        self.client = app.test_client()
        self.base_url = base_url
        self.token = ""
        self.slug = ""
        self.email = ""
        self.password = ""

    def moved(self) -> "Person":
        """Go to an address of the person's own, whose mails nobody else uses up."""
        self.client.environ_base["REMOTE_ADDR"] = f"198.18.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
        return self

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

    def sign_up(self, company: str = "Acme & Söhne", *, confirmed: bool = True) -> "Person":
        """Sign a new company up; the person is its owner, and has followed the mailed link unless told not to."""
        mark = secrets.token_hex(4)
        self.slug, self.email, self.password = f"v-{mark}", f"v-{mark}@example.com", secrets.token_urlsafe(16)
        self.get("/signup")
        form = {"company": company, "slug": self.slug, "name": "Vera", "email": self.email, "password": self.password}
        answer = self.post("/signup", dict(form))
        assert answer.status_code == 202, answer.text
        return self.confirm(mailed_link(self.email)) if confirmed else self

    def sign_in(self, made: Made) -> "Person":
        """Come in by the password, as somebody who is there already."""
        self.slug, self.email, self.password = made.slug, made.email, made.password
        self.get("/login")
        assert self.post("/login", {"email": made.email, "password": made.password}).status_code == 303
        return self

    def confirm(self, link: str) -> "Person":
        """Follow the mailed link, and come in by the password."""
        self.get(link)
        answer = self.post(link, {"password": self.password})
        assert answer.status_code == 303, answer.text
        return self

    def _remember(self, answer: TestResponse) -> None:
        if answer.mimetype == "text/html" and (found := TOKEN.search(answer.text)):
            self.token = unescape(found.group(1))


def mailed_link(email: str) -> str:
    """Return the path of a link that confirms the address, as the worker makes it when it mails one."""
    url = settings().database_worker_url
    assert url is not None
    units = open_units(settings(), url.get_secret_value())
    token = new_token()
    with units.identify() as door:
        found = people.find_person(door.session, email)
        assert found is not None
        people.issue_token(
            door.session, token_hash(token), "verification", found[0], email, datetime.now(UTC) + timedelta(hours=1)
        )
        door.commit()
    units.engines.dispose()
    return f"/verification/{token}"


def issue_key(person: Person, **given: object) -> tuple[str, str]:
    """Issue a key by its form; return the address of its page and the secret."""
    person.get(person.at("/keys/new"))
    sent = {"name": "CI", "scopes": ["tenant:scans:read"], "lifetime": "90", **given}
    answer = person.post(person.at("/keys"), sent)
    found, address = SECRET.search(answer.text), re.search(r'href="([^"]+)">I have copied it', answer.text)
    assert found is not None and address is not None, answer.text
    return address.group(1), found.group(1)
