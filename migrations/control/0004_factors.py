"""Nothing yet."""

revision = "control_0004"
down_revision = "control_0003"


def upgrade() -> None:
    pass
