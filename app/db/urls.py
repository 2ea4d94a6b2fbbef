"""Postgres addresses, as libpq spells them and as SQLAlchemy wants them."""


def sqlalchemy_url(url: str) -> str:
    """Return `url` with the psycopg driver named."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def libpq_url(url: str) -> str:
    """Return `url` without a driver's name."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
