"""Nothing yet."""

revision = "control_0006"
down_revision = "control_0005"


def upgrade() -> None:
    pass
