"""The list of all resources of the JSON API."""

from importlib import import_module

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from app.scanners import guard

NOUNS = (
    "assets",
    "audits",
    "findings",
    "guards",
    "invitations",
    "keys",
    "proofs",
    "references",
    "scans",
    "scim",
    "signups",
    "tenants",
    "tokens",
    "usage",
    "users",
    "workspaces",
)


def register_resources(app: Flask, csrf: CSRFProtect) -> None:
    """Serve the JSON API; its requests carry keys, not cookies, so that they need no CSRF token.

    The guard's recognisers are built here, before any fork.
    """
    guard.preload()
    for noun in NOUNS:
        blueprint = import_module(f"app.api.{noun}").blueprint
        csrf.exempt(blueprint)
        app.register_blueprint(blueprint)
