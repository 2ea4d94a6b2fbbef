"""Exports of everything that a tenant has."""

revision = "control_0014"
down_revision = "control_0013"


def upgrade() -> None:
    """Nothing yet."""
