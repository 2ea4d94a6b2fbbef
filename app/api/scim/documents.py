"""The OpenAPI 3.1 document of SCIM, made from its routes: what each takes, tells and refuses follows from RFC 7644."""

import inspect
import re
from typing import Any

from flask import Flask

from app.api.scim import shapes
from app.api.scim.queries import DEFAULT_COUNT
from app.api.scim.routing import MEDIA, PREFIX
from app.api.scim.schemas import MOST_RESULTS, PROVIDER

_ID = re.compile(r"<(\w+)>")
_REFUSALS = {
    400: "The request could not be read, or some values will not do; scimType says what",
    401: "No token, or none that is in force",
    403: "The plan has no provisioning, the tenant is closed, or discovery was to be filtered",
    404: "Nothing of this tenant has this id",
    409: "Taken already, or the last owner would be left without access, or no seat is left",
    412: "It was changed since the ETag of If-Match",
    413: "The body is too large",
    415: f"The body is neither {MEDIA} nor application/json",
    429: "Too many requests; Retry-After says when to go on",
    503: "A part of the service is not available",
}
# Discovery: the shape that is told of each address.
_PUBLIC = {
    "/ServiceProviderConfig": shapes.told("ServiceProviderConfig"),
    "/ResourceTypes": shapes.listed("ResourceType"),
    "/ResourceTypes/{scim_name}": shapes.told("ResourceType"),
    "/Schemas": shapes.listed("Schema"),
    "/Schemas/{scim_name}": shapes.told("Schema"),
}
_ETAG = {"description": "The version, for If-Match and If-None-Match", "schema": {"type": "string"}}
_LOCATION = {"description": "Where it is", "schema": {"type": "string"}}
Described = dict[str, Any]


def operations(app: Flask) -> list[tuple[str, str, Any]]:
    """Return every route of the document as (method, address beneath /scim/v2, view), in the order of addresses.

    Without those that only say that something is not served.
    """
    found = []
    for rule in app.url_map.iter_rules():
        view: Any = app.view_functions[rule.endpoint]
        address = _ID.sub(r"{\1}", rule.rule.removeprefix(PREFIX))
        if getattr(view, "scim", False) and (view.permission is not None or address in _PUBLIC):
            method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"}))
            found.append((method, address, view))
    return sorted(found, key=lambda entry: (entry[1], entry[0]))


def openapi(app: Flask, server: str) -> Described:
    """Return the document."""
    paths: dict[str, Described] = {}
    for method, address, view in operations(app):
        paths.setdefault(PREFIX + address, {})[method.lower()] = _described(method, address, view)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sentinel: provisioning by SCIM 2.0",
            "version": "2",
            "description": "For identity providers. Errors have SCIM's form (RFC 7644, 3.12). There is no bulk, no /Me "
            "and no search over both kinds: these are answered with 501.",
        },
        "servers": [{"url": server}],
        "security": [{"ScimToken": []}],
        "paths": paths,
        "components": {
            "schemas": shapes.shapes(),
            "securitySchemes": {
                "ScimToken": {"type": "http", "scheme": "bearer", "description": "A SCIM token of the tenant"}
            },
        },
    }


def _described(method: str, address: str, view: Any) -> Described:
    needed = view.permission
    described: Described = {
        "operationId": f"scim.{view.__name__}",
        "tags": [address.split("/")[1]],
        "summary": inspect.cleandoc(view.__doc__ or "").split("\n")[0],
        "x-permissions": [] if needed is None else [str(needed)],
        "parameters": [*_ids(address), *_queries(method, address), *_versions(method, address)],
        "responses": _answers(method, address),
    }
    if needed is None:
        described["security"] = []
    if method in ("POST", "PUT", "PATCH"):
        name = shapes.PATCH if method == "PATCH" else shapes.sent(_noun(address))
        shape = {"schema": shapes.reference(name)}
        described["requestBody"] = {"required": True, "content": {MEDIA: shape, "application/json": shape}}
    problem = {MEDIA: {"schema": shapes.reference(shapes.ERROR)}}
    for status in _refusals(method, address):
        described["responses"][str(status)] = {"description": _REFUSALS[status], "content": problem}
    return described


def _noun(address: str) -> str:
    return address.split("/")[1].removesuffix("s")


def _answers(method: str, address: str) -> Described:
    if method == "DELETE":
        return {"204": {"description": "It is gone"}}
    one = "{" in address
    shape = _PUBLIC.get(address) or (shapes.told if one or method != "GET" else shapes.listed)(_noun(address))
    told: Described = {"content": {MEDIA: {"schema": shapes.reference(shape)}}}
    if method == "POST":
        headers = {"ETag": _ETAG, "Location": _LOCATION}
        return {"201": {"description": "Made; Location says where it stands", "headers": headers, **told}}
    if one and address not in _PUBLIC:
        told["headers"] = {"ETag": _ETAG}
    answers: Described = {"200": {"description": "What was asked for, or what it has become", **told}}
    if method == "PATCH" and _noun(address) == "Group":
        answers["204"] = {"description": "Done; the group is told only where `attributes` asks for some"}
    if method == "GET" and one and address not in _PUBLIC:
        answers["304"] = {"description": "It is as the ETag of If-None-Match says"}
    return answers


def _refusals(method: str, address: str) -> list[int]:
    one = "{" in address
    if address in _PUBLIC:
        return [404] if one else [403]
    statuses = {400, 401, 403, 429, 503} | ({404} if one else set())
    if method != "GET":
        statuses |= {409, 412} if one else {409}
    if method in ("POST", "PUT", "PATCH"):
        statuses |= {413, 415}
    return sorted(statuses)


def _ids(address: str) -> list[Described]:
    names = re.findall(r"{(\w+)}", address)
    shape: Described = {"type": "string", "format": "uuid"}
    if address in _PUBLIC:
        known = PROVIDER.schemas if address.startswith("/Schemas") else PROVIDER.resource_types
        shape = {"type": "string", "enum": [str(each.id) for each in known]}
    return [{"name": name, "in": "path", "required": True, "schema": shape} for name in names]


def _queries(method: str, address: str) -> list[Described]:
    if address in _PUBLIC or method == "DELETE":
        return []
    text, whole = {"type": "string"}, {"type": "integer"}
    found = [
        _query("attributes", "The attributes to tell, separated by commas", text),
        _query("excludedAttributes", "The attributes not to tell, separated by commas", text),
    ]
    if method == "GET" and "{" not in address:
        found += [
            _query("filter", 'Which ones, such as userName eq "ada@example.com"', text),
            _query("startIndex", "The place of the first one, from 1", whole),
            _query("count", f"How many; {DEFAULT_COUNT} unless it is said, {MOST_RESULTS} at most", whole),
        ]
    return found


def _query(name: str, words: str, shape: Described) -> Described:
    return {"name": name, "in": "query", "required": False, "description": words, "schema": shape}


def _versions(method: str, address: str) -> list[Described]:
    if "{" not in address or address in _PUBLIC:
        return []
    name, words = ("If-None-Match", "304 if it is still so") if method == "GET" else ("If-Match", "412 if it is not so")
    described = f"An ETag that was read, or several: {words}"
    return [{"name": name, "in": "header", "required": False, "description": described, "schema": {"type": "string"}}]
