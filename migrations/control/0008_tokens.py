"""Nothing yet."""

revision = "control_0008"
down_revision = "control_0007"


def upgrade() -> None:
    pass
