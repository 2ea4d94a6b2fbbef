"""Findings over time, counted by day."""

revision = "content_0005"
down_revision = "content_0004"


def upgrade() -> None:
    """Nothing yet."""
