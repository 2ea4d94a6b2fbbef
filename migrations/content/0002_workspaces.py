"""Nothing yet."""

revision = "content_0002"
down_revision = "content_0001"


def upgrade() -> None:
    pass
