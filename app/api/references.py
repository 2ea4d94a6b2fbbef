"""The API's own description: the OpenAPI document, and a page of it for people. Both are public."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, render_template

from app.api.documents import openapi
from app.api.routing import PREFIX
from app.serving.runtimes import runtime

View = TypeVar("View", bound=Callable[[], "Response | str"])
blueprint = Blueprint("api_references", __name__)


def _public(view: View) -> View:
    """Mark a view as one that asks for nothing."""
    view.permission, view.public = None, True  # type: ignore[attr-defined]
    return view


@blueprint.get(PREFIX + "/openapi.json", provide_automatic_options=False)
@_public
def document() -> Response:
    """Answer the OpenAPI 3.1 document."""
    answer = Response(json.dumps(_document(), indent=1), mimetype="application/json")
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer


@blueprint.get(PREFIX + "/reference", provide_automatic_options=False)
@_public
def page() -> str:
    """Answer the page: every route with what it needs, takes and tells."""
    told = _document()
    routes = [
        _route(method.upper(), address, described)
        for address, methods in told["paths"].items()
        for method, described in methods.items()
    ]
    schemas = [_schema(name, schema) for name, schema in told["components"]["schemas"].items()]
    example = (
        f"curl {told['servers'][0]['url']}/process -H 'X-API-Key: sntl_key_…' -H 'Content-Type: application/json' \\\n"
        '  -d \'{"user_input": "My credit card is 4532-1234-5678-9010", "user_id": "customer_123"}\''
    )
    return render_template("references/show.html", routes=routes, schemas=schemas, example=example)


def _document() -> dict[str, Any]:
    kept: dict[str, Any] = current_app.extensions.setdefault("sentinel-openapi", {})
    if not kept:
        kept.update(openapi(current_app._get_current_object(), runtime().settings.base_url))  # type: ignore[attr-defined]
    return kept


def _route(method: str, address: str, described: dict[str, Any]) -> dict[str, Any]:
    statuses = list(described["responses"])
    success = next(status for status in statuses if status < "300")
    body = described.get("requestBody")
    return {
        "method": method,
        "address": address,
        "title": described["summary"],
        "note": described.get("description", ""),
        "permissions": described["x-permissions"],
        "parameters": [{"description": "", **parameter} for parameter in described["parameters"]],
        "body": body and body["content"]["application/json"]["schema"],
        "answer": described["responses"][success]["content"]["application/json"]["schema"],
        "status": success,
        "refusals": [status for status in statuses if status != success],
    }


def _schema(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    required = schema.get("required", [])
    rows = [
        {"name": field, "required": field in required, "schema": of, "description": of.get("description", "")}
        for field, of in schema["properties"].items()
    ]
    return {"name": name, "description": schema.get("description", "").split("\n")[0], "rows": rows}
