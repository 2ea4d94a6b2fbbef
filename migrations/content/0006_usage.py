"""What was used, by day."""

revision = "content_0006"
down_revision = "content_0005"


def upgrade() -> None:
    """Nothing yet."""
