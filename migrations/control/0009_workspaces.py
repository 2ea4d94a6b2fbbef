"""Nothing yet."""

revision = "control_0009"
down_revision = "control_0008"


def upgrade() -> None:
    pass
