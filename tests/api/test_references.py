"""The API's description agrees with the API."""

import json
import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.api.documents import operations


def test_document_is_valid_and_complete(app: Flask, client: FlaskClient, base_url: str) -> None:
    """The document is valid OpenAPI 3.1 and holds every route with its permissions; anyone may read it."""
    answer = client.get("/api/v1/openapi.json", base_url=base_url)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    document: dict[str, Any] = json.loads(answer.data)
    OpenAPIV31SpecValidator(document).validate()
    told = {
        (method.upper(), address): described["x-permissions"]
        for address, methods in document["paths"].items()
        for method, described in methods.items()
    }
    served = {(method, address): list(operation.permissions) for method, address, operation in operations(app)}
    assert told == served
    assert len(served) >= 25
    names = [described["operationId"] for methods in document["paths"].values() for described in methods.values()]
    assert len(names) == len(set(names))


def test_page_shows_every_route(app: Flask, client: FlaskClient, base_url: str) -> None:
    """The page for people names every route and shape, and every link on it leads somewhere."""
    answer = client.get("/api/v1/reference", base_url=base_url)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    for method, address, _ in operations(app):
        assert f"{method} {address}" in answer.text
    anchors = set(re.findall(r'id="([^"]+)"', answer.text))
    assert set(re.findall(r'href="#([^"]+)"', answer.text)) <= anchors


def test_every_route_of_the_api_has_a_key_or_is_public(app: Flask) -> None:
    """No address beneath /api/ answers without a credential, but for the description and the ways to get one."""
    views = {
        rule.rule: app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/api/", "/process", "/auth/"))
    }
    unkeyed = {address for address, view in views.items() if not hasattr(view, "keyed")}
    ways_in = {
        f"{prefix}/auth/{verb}" for prefix in ("", "/api/v1") for verb in ("login", "logout", "refresh", "register")
    }
    assert unkeyed == {"/api/v1/openapi.json", "/api/v1/reference", *ways_in}
