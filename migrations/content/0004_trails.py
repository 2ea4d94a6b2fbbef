"""The audit views."""

revision = "content_0004"
down_revision = "content_0003"


def upgrade() -> None:
    """Nothing yet."""
