"""Retention of audit events and checkpoints of their seals, in the account home."""

revision = "control_0015"
down_revision = "control_0014"


def upgrade() -> None:
    """Nothing yet."""
