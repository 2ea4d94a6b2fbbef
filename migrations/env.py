"""Alembic's environment: one connection, one schema, handed in by app.db.migrate."""

from alembic import context

connection = context.config.attributes["connection"]
schema = context.config.attributes["schema"]

context.configure(connection=connection, version_table="schema_version", version_table_schema=schema)
with context.begin_transaction():
    context.run_migrations()
