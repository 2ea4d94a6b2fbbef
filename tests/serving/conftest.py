"""The application as gunicorn serves it, asked through its own client."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.settings import settings


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without scripts."""
    app.config["PREFERRED_URL_SCHEME"] = "https"
    return app.test_client()


@pytest.fixture
def base_url() -> str:
    """The address that the application is served under."""
    return settings().base_url.replace("http://", "https://")
