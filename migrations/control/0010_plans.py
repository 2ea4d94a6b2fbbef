"""Nothing yet."""

revision = "control_0010"
down_revision = "control_0009"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
