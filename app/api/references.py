"""The API's own descriptions: the OpenAPI documents of JSON and SCIM, and a page for people. All are public."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, current_app, render_template

from app.api.documents import openapi
from app.api.routing import PREFIX
from app.api.scim import documents as scim_documents
from app.api.scim.routing import PREFIX as SCIM_PREFIX
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
    return _told(_document("sentinel-openapi", openapi))


@blueprint.get(SCIM_PREFIX + "/openapi.json", provide_automatic_options=False)
@_public
def scim_document() -> Response:
    """Answer the OpenAPI 3.1 document of SCIM."""
    return _told(_document("sentinel-scim-openapi", scim_documents.openapi))


def _told(document: dict[str, Any]) -> Response:
    answer = Response(json.dumps(document, indent=1), mimetype="application/json")
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer


@blueprint.get(PREFIX + "/reference", provide_automatic_options=False)
@_public
def page() -> str:
    """Answer the page: every route with what it needs, takes and tells."""
    told = _document("sentinel-openapi", openapi)
    scim = _document("sentinel-scim-openapi", scim_documents.openapi)
    documents = (told, scim)
    schemas = [_schema(name, of) for each in documents for name, of in each["components"]["schemas"].items()]
    example = (
        f"curl {told['servers'][0]['url']}/process -H 'X-API-Key: sntl_key_…' -H 'Content-Type: application/json' \\\n"
        '  -d \'{"user_input": "My credit card is 4532-1234-5678-9010", "user_id": "customer_123"}\''
    )
    return render_template(
        "references/show.html",
        routes=_routes(told),
        scim_routes=_routes(scim),
        schemas=schemas,
        example=example,
    )


def _document(name: str, make: Callable[[Flask, str], dict[str, Any]]) -> dict[str, Any]:
    kept: dict[str, Any] = current_app.extensions.setdefault(name, {})
    if not kept:
        kept.update(make(current_app._get_current_object(), runtime().settings.base_url))  # type: ignore[attr-defined]
    return kept


def _routes(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        _route(method.upper(), address, described)
        for address, methods in document["paths"].items()
        for method, described in methods.items()
    ]


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
        "answer": _shape(described["responses"][success]),
        "status": success,
        "others": [status for status in statuses if status < "400" and status != success],
        "refusals": [status for status in statuses if status >= "400"],
        "problem": _shape(described["responses"][statuses[-1]]),
    }


def _shape(answer: dict[str, Any]) -> dict[str, Any] | None:
    content = next(iter(answer.get("content", {}).values()), None)
    return content and content["schema"]


def _schema(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    required = schema.get("required", [])
    rows = [
        {"name": field, "required": field in required, "schema": of, "description": of.get("description", "")}
        for field, of in schema["properties"].items()
    ]
    return {"name": name, "description": schema.get("description", "").split("\n")[0], "rows": rows}
