"""What a tenant used, by day, in the account home."""

revision = "control_0016"
down_revision = "control_0015"


def upgrade() -> None:
    """Nothing yet."""
