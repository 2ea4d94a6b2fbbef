"""What a purge may do and what it leaves: certificates and reserved slugs."""

revision = "control_0013"
down_revision = "control_0012"


def upgrade() -> None:
    """Nothing yet."""
