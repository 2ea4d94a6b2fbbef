"""The logins and the database that Sentinel needs, as idempotent SQL: `python -m app.local.roles | psql …`.

Run by a superuser, on our own Postgres or on the operator's. Passwords enter as SCRAM verifiers, so that
no log of the server ever holds one.
"""

import base64
import hashlib
import hmac
import os
import secrets
import sys
from collections.abc import Mapping
from urllib.parse import quote

import psycopg

LOGINS = ("sentinel_owner", "sentinel_app", "sentinel_worker", "sentinel_platform")
DIRECTORY = "sentinel_directory"
ARCHIVIST = "sentinel_archivist"
ERASER = "sentinel_eraser"
DATABASE = "sentinel"

_PLAIN = "NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION NOINHERIT"


def verifier(password: str, iterations: int = 4096) -> str:
    """The SCRAM-SHA-256 verifier that Postgres stores for `password` (RFC 5802; an ASCII password)."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"


def role_statements(passwords: Mapping[str, str]) -> list[str]:
    """Statements that create or correct the roles; run them in any database."""
    statements = []
    roles = [(login, f"LOGIN {_PLAIN}") for login in LOGINS]
    roles += [(nobody, f"NOLOGIN {_PLAIN}") for nobody in (DIRECTORY, ARCHIVIST, ERASER)]
    for role, attributes in roles:
        statements.append(
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') "
            f"THEN CREATE ROLE {role}; END IF; END $$"
        )
        password = f" PASSWORD '{verifier(passwords[role])}'" if role in passwords else ""
        statements.append(f"ALTER ROLE {role} {attributes}{password}")
    statements.append(f"GRANT {DIRECTORY}, {ARCHIVIST}, {ERASER} TO sentinel_owner")
    return statements


def database_statements(database: str) -> list[str]:
    """Statements that close the database to all but the logins; run them in any database, once it exists."""
    return [
        f'ALTER DATABASE "{database}" OWNER TO sentinel_owner',
        f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC',
        *(f'GRANT CONNECT ON DATABASE "{database}" TO {login}' for login in LOGINS),
    ]


INSIDE = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
)
"""Statements that a superuser runs inside the database."""


def bootstrap_sql(passwords: Mapping[str, str], database: str = DATABASE) -> str:
    """The whole of it as a script for psql. Running it again changes nothing but the passwords' salts."""
    create = f"SELECT 'CREATE DATABASE \"{database}\"' WHERE NOT EXISTS "
    create += f"(SELECT FROM pg_database WHERE datname = '{database}') \\gexec"
    before = [f"{statement};" for statement in role_statements(passwords)]
    after = [f"{statement};" for statement in database_statements(database)]
    inside = [f"{statement};" for statement in INSIDE]
    return "\n".join(["\\set ON_ERROR_STOP on", *before, create, *after, f'\\connect "{database}"', *inside, ""])


def bootstrap(superuser_url: str, passwords: Mapping[str, str], database: str = DATABASE) -> None:
    """Do what `bootstrap_sql` says through a superuser's connection URL (its database: postgres)."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for statement in role_statements(passwords):
            connection.execute(statement.encode())
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            connection.execute(f'CREATE DATABASE "{database}"'.encode())
        for statement in database_statements(database):
            connection.execute(statement.encode())
    with psycopg.connect(superuser_url, autocommit=True, dbname=database) as connection:
        for statement in INSIDE:
            connection.execute(statement.encode())


def main() -> None:
    """Print the script with new passwords, and on the other stream the URLs that carry them."""
    passwords = {login: secrets.token_urlsafe(24) for login in LOGINS}
    print(bootstrap_sql(passwords))
    names = ("DATABASE_OWNER_URL", "DATABASE_URL", "DATABASE_WORKER_URL", "DATABASE_PLATFORM_URL")
    for name, login in zip(names, LOGINS, strict=True):
        url = f"postgresql://{login}:{quote(passwords[login])}@<host>:5432/{DATABASE}"
        print(f"{name}={url}", file=sys.stderr)


if __name__ == "__main__":
    main()
