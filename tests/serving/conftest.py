"""The application as gunicorn serves it, asked through its own client."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.settings import settings
from app.factory import create_app


@pytest.fixture
def app(environment: object, postgres_server: object) -> Iterator[Flask]:
    """The tenants' application."""
    made = create_app()
    yield made
    made.extensions["sentinel"].units.engines.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without scripts."""
    app.config["PREFERRED_URL_SCHEME"] = "https"
    return app.test_client()


@pytest.fixture
def base_url() -> str:
    """The address that the application is served under."""
    return settings().base_url.replace("http://", "https://")
