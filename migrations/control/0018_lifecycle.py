"""Reminders of a trial's end, and what exceeds a plan."""

revision = "control_0018"
down_revision = "control_0017"


def upgrade() -> None:
    """Nothing yet."""
