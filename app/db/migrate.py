"""Migrations: the control and account tables once, then the content tables of every schema, under one lock.

Only the owner's login runs them (`python -m app.db.migrate`); web, worker and platform never do.
"""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from app.db.rls import FENCE_DIRECTORY
from app.db.urls import sqlalchemy_url

ROOT = Path(__file__).resolve().parents[2] / "migrations"
LOCK = 7_301_001
CONTENT_SCHEMA = "shared"


def _config(connection: Connection, home: str, schema: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(ROOT / home))
    config.attributes.update(connection=connection, schema=schema)
    return config


def content_schemas(connection: Connection) -> list[str]:
    """Return every schema of this database that holds content tables."""
    rows = connection.execute(
        text("SELECT nspname FROM pg_namespace WHERE nspname = :shared OR nspname ~ '^t_[0-9a-f]{32}$' ORDER BY 1"),
        {"shared": CONTENT_SCHEMA},
    )
    return [row[0] for row in rows]


def _fence_directory(connection: Connection) -> None:
    connection.execute(text("SET ROLE sentinel_directory"))
    connection.exec_driver_sql(FENCE_DIRECTORY, execution_options={"no_parameters": True})
    connection.execute(text("RESET ROLE"))
    connection.commit()


def migrate(owner_url: str, revision: str = "heads") -> None:
    """Bring the database of `owner_url` to `revision`; a second call changes nothing."""
    engine = create_engine(sqlalchemy_url(owner_url))
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
            connection.commit()
            try:
                connection.execute(text("SET lock_timeout = '2s'"))
                connection.execute(text("CREATE SCHEMA IF NOT EXISTS control"))
                connection.commit()
                command.upgrade(_config(connection, "control", "control"), revision)
                connection.commit()
                _fence_directory(connection)
                for schema in content_schemas(connection):
                    connection.commit()
                    command.upgrade(_config(connection, "content", schema), revision)
                    connection.commit()
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
                connection.commit()
    finally:
        engine.dispose()


def main() -> int:
    """Migrate the database that DATABASE_OWNER_URL names."""
    import os

    url = os.environ.get("DATABASE_OWNER_URL")
    if not url:
        sys.stderr.write("DATABASE_OWNER_URL is not set: migrations run with the owner's login\n")
        return 2
    migrate(url)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
