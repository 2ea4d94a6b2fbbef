"""What the relay knows of a plan's room and priority."""

revision = "control_0017"
down_revision = "control_0016"


def upgrade() -> None:
    """Nothing yet."""
