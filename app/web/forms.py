"""Forms of pages."""

from app.serving.forms import Form

__all__ = ["Form"]
