"""Nothing yet."""

revision = "content_0003"
down_revision = "content_0002"


def upgrade() -> None:
    pass
