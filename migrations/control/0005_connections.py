"""Nothing yet."""

revision = "control_0005"
down_revision = "control_0004"


def upgrade() -> None:
    pass
