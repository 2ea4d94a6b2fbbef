"""Nothing yet."""

revision = "control_0003"
down_revision = "control_0002"


def upgrade() -> None:
    pass
