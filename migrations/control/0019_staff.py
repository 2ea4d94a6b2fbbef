"""What the staff console lists."""

revision = "control_0019"
down_revision = "control_0018"


def upgrade() -> None:
    """Nothing yet."""
