"""The list of all resources of the JSON API."""

from flask import Flask
from flask_wtf.csrf import CSRFProtect


def register_resources(app: Flask, csrf: CSRFProtect) -> None:
    """Serve the JSON API; its requests carry keys, not cookies, so that they need no CSRF token."""
