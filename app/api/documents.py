"""The OpenAPI 3.1 document of the JSON API, made from the routes themselves."""

import inspect
import re
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.api.routing import Operation
from app.api.shapes import Problem

_ID = re.compile(r"<(\w+)>")
_REFUSALS = {
    400: "The request could not be read",
    401: "No credential, or none that is in force",
    403: "A permission is lacking, the tenant is closed, or asks for a proof that was not given",
    404: "Nothing of this tenant has this id",
    409: "The present state does not allow it, or the same Idempotency-Key is at work",
    412: "It was changed since the ETag of If-Match",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "Some values will not do",
    429: "Too many requests; Retry-After says when to go on",
    503: "A part of the service is not available",
}
_SCHEMES = {
    "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "X-Tenant-Key": {"type": "apiKey", "in": "header", "name": "X-Tenant-Key"},
    "Bearer": {"type": "http", "scheme": "bearer", "description": "An access token of a person, or an API key"},
}


def operations(app: Flask) -> list[tuple[str, str, Operation]]:
    """Return every route of the document as (method, address, operation), in the order of addresses."""
    found = []
    for rule in app.url_map.iter_rules():
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if operation is not None:
            method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"}))
            found.append((method, _ID.sub(r"{\1}", rule.rule), operation))
    return sorted(found, key=lambda entry: (entry[1], entry[0]))


def openapi(app: Flask, server: str) -> dict[str, Any]:
    """Return the document; pydantic's JSON Schema (2020-12) is the dialect of OpenAPI 3.1."""
    known = operations(app)
    references, schemas = _schemas([operation for _, _, operation in known])
    paths: dict[str, dict[str, Any]] = {}
    for method, address, operation in known:
        paths.setdefault(address, {})[method.lower()] = _described(method, address, operation, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sentinel",
            "version": "1",
            "description": "Every error is an application/problem+json document; lists are pages with a cursor.",
        },
        "servers": [{"url": server}],
        "security": [{name: []} for name in _SCHEMES],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SCHEMES},
    }


def _schemas(known: list[Operation]) -> tuple[dict[type[BaseModel], dict[str, Any]], dict[str, Any]]:
    asked = {operation.body for operation in known if operation.body is not None}
    told = {operation.answer for operation in known} | {Problem}
    wanted = [(model, "validation") for model in asked] + [(model, "serialization") for model in told]
    wanted.sort(key=lambda entry: entry[0].__name__)
    found, whole = models_json_schema(wanted, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return {model: schema for (model, _), schema in found.items()}, whole["$defs"]  # type: ignore[misc]


def _described(
    method: str, address: str, operation: Operation, references: dict[type[BaseModel], dict[str, Any]]
) -> dict[str, Any]:
    noun = operation.view.__module__.rpartition(".")[2]
    described: dict[str, Any] = {
        "operationId": f"{noun}.{operation.view.__name__}{_alias(address)}",
        "tags": [noun],
        "summary": inspect.cleandoc(operation.view.__doc__ or "").split("\n")[0],
        "x-permissions": [str(permission) for permission in operation.permissions],
        "security": [] if operation.opened else [{name: []} for name in _SCHEMES],
        "parameters": [*_ids(address), *_parameters(operation.query), *_headers(method, operation)],
        "responses": {str(operation.status): _success(operation, references[operation.answer])},
    }
    if operation.unkept is not None:
        described["description"] = f"An Idempotency-Key is taken no notice of: {operation.unkept}."
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": references[operation.body]}},
        }
    problem = {"application/problem+json": {"schema": references[Problem]}}
    for status in _refusals(method, address, operation):
        described["responses"][str(status)] = {"description": _REFUSALS[status], "content": problem}
    return described


def _alias(address: str) -> str:
    """Return what tells an operation at another address apart, which its id must."""
    return "" if address.startswith("/api/") else ".at" + re.sub(r"\W+", "_", address).rstrip("_")


def _success(operation: Operation, schema: dict[str, Any]) -> dict[str, Any]:
    words = {200: "What was asked for", 201: "Made; Location says where it stands", 202: "Accepted; follow Location"}
    return {"description": words[operation.status], "content": {"application/json": {"schema": schema}}}


def _refusals(method: str, address: str, operation: Operation) -> list[int]:
    statuses = {400, 503, *operation.refusals} | (set() if operation.opened else {401, 403, 429})
    if "{" in address or (operation.body is not None and not operation.opened):
        statuses.add(404)
    if operation.body is not None:
        statuses |= {413, 415}
    if operation.body is not None or operation.query is not None:
        statuses.add(422)
    if method not in ("GET", "HEAD") and not operation.opened:
        statuses.add(409)
    if method == "POST" and operation.unkept is None:
        statuses.add(422)
    if operation.current is not None:
        statuses.add(412)
    return sorted(statuses)


def _ids(address: str) -> list[dict[str, Any]]:
    schema = {"type": "string", "format": "uuid"}
    names = re.findall(r"{(\w+)}", address)
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key within 24 hours is answered as before (Idempotency-Replayed: true) and nothing is "
    "done again; with another body it is 422. Only a success is kept.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 202},
}
_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that was read: the update is refused with 412 if the thing was changed since.",
    "schema": {"type": "string"},
}


def _headers(method: str, operation: Operation) -> list[dict[str, Any]]:
    kept = [_KEY] if method == "POST" and operation.unkept is None else []
    return [*kept, _MATCH] if operation.current is not None else kept


def _parameters(query: type[BaseModel] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    schema = query.model_json_schema()
    parameters = []
    for name, of in schema["properties"].items():
        described = {key: value for key, value in of.items() if key not in ("title", "description")}
        if "anyOf" in described:  # a parameter is left out rather than null
            described = next(choice for choice in described.pop("anyOf") if choice.get("type") != "null")
        words = {"description": of["description"]} if "description" in of else {}
        parameters.append({"name": name, "in": "query", "required": False, "schema": described, **words})
    return parameters
