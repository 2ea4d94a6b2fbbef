"""Nothing yet."""

revision = "control_0007"
down_revision = "control_0006"


def upgrade() -> None:
    pass
