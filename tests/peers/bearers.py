"""Programs that sign in as a person, ask with an access token and refresh it."""

from dataclasses import dataclass
from typing import Any

import psycopg
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.peers.tenants import Made
from tests.plugins.servers import Database


def confirm_address(database: Database, email: str) -> None:
    """Mark an address as its person's, as opening the mailed link does."""
    change_directory(database, "UPDATE auth.users SET verified_at = now() WHERE email = %s", email)


def change_directory(database: Database, statement: str, *values: object) -> None:
    """Change what no login of the application may."""
    with psycopg.connect(database.superuser) as connection:
        connection.execute(statement.encode(), values)


def add_owner(database: Database, made: Made) -> None:
    """Give the tenant a second owner, so that the first one may be less."""
    change_directory(
        database,
        "INSERT INTO account.memberships (tenant_id, id, user_id, email, name, role, created_at) "
        "VALUES (%s, gen_random_uuid(), gen_random_uuid(), 'second@example.com', 'Second', 'owner', now())",
        made.id,
    )


@dataclass
class Bearer:
    """A program of a person, with its present pair of tokens."""

    client: FlaskClient
    address: str
    made: Made
    access: str = ""
    refresh: str = ""

    def ask(self, method: str, path: str, **more: Any) -> TestResponse:
        """Send a request with the access token, unless `headers` are given."""
        headers = more.pop("headers", {"Authorization": f"Bearer {self.access}"})
        return self.client.open(path, method=method, headers=headers, base_url=self.address, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        """Send a GET."""
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> TestResponse:
        """Send a POST."""
        return self.ask("POST", path, **more)

    def login(self, **more: object) -> TestResponse:
        """Sign in, and keep the pair if there is one."""
        body = {"email": self.made.email, "password": self.made.password, **more}
        return self._keep(self.post("/api/v1/auth/login", json=body, headers={}))

    def renew(self, token: str | None = None) -> TestResponse:
        """Refresh, and keep the pair if there is one."""
        body = {"refresh_token": token or self.refresh}
        return self._keep(self.post("/api/v1/auth/refresh", json=body, headers={}))

    def _keep(self, answer: TestResponse) -> TestResponse:
        if answer.status_code == 200 and answer.json is not None:
            self.access, self.refresh = answer.json["access_token"], answer.json["refresh_token"]
        return answer
