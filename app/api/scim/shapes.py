"""The JSON Schemas of what SCIM takes and tells, made from the schemas that the service itself serves."""

from typing import Any

from scim2_models import Attribute, Mutability, ResourceType, Schema, ServiceProviderConfig

from app.api.scim.schemas import PROVIDER

Shape = dict[str, Any]
ERROR, PATCH = "ScimError", "ScimPatch"
RESOURCES = ("User", "Group")
_KINDS: dict[str, Shape] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "decimal": {"type": "number"},
    "dateTime": {"type": "string", "format": "date-time"},
    "reference": {"type": "string"},
    "binary": {"type": "string"},
}
_URNS: Shape = {"type": "array", "items": {"type": "string"}, "description": "The URNs of its schemas"}
_META: Shape = {
    "type": "object",
    "description": "When it was made and changed, where it is, and its version (the ETag)",
    "properties": {
        "resourceType": {"type": "string"},
        "created": {"type": "string", "format": "date-time"},
        "lastModified": {"type": "string", "format": "date-time"},
        "location": {"type": "string"},
        "version": {"type": "string"},
    },
}
_EXTERNAL: Shape = {"type": "string", "description": "The id at the identity provider"}


def told(name: str) -> str:
    """Return the name of the shape of a resource that is told."""
    return f"Scim{name}"


def sent(name: str) -> str:
    """Return the name of the shape of a resource that is sent."""
    return f"Scim{name}ToSend"


def listed(name: str) -> str:
    """Return the name of the shape of a list of resources."""
    return f"Scim{name}List"


def reference(name: str) -> Shape:
    """Return what points to a shape of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def shapes() -> dict[str, Shape]:
    """Return all shapes by name."""
    found: dict[str, Shape] = {ERROR: _error(), PATCH: _patch()}
    for schema in PROVIDER.schemas:
        name = str(schema.name)
        found |= {told(name): _told(schema), sent(name): _sent(schema), listed(name): _list(name)}
    for model in (ResourceType, Schema):
        described = model.to_schema()
        found |= {told(model.__name__): _told(described), listed(model.__name__): _list(model.__name__)}
    return found | {told("ServiceProviderConfig"): _told(ServiceProviderConfig.to_schema())}


def _told(schema: Schema) -> Shape:
    """Return the shape of a resource that is told: what is not asked for is left out, but for its id."""
    attributes = [each for each in schema.attributes or () if each.name not in ("id", "meta")]
    own = {str(each.name): _attribute(each) for each in attributes}
    identity = {"schemas": _URNS, "id": {"type": "string"}, "externalId": _EXTERNAL}
    required = ["schemas", "id"] if schema.name in RESOURCES else ["schemas"]
    properties = {**identity, **own, "meta": _META}
    return {
        "type": "object",
        "description": _words(schema.description),
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


def _sent(schema: Schema) -> Shape:
    """Return the shape of a resource that is sent; what is read only is left out, and what is unknown is dropped."""
    attributes = [each for each in schema.attributes or () if each.mutability is not Mutability.read_only]
    own = {str(each.name): _attribute(each) for each in attributes}
    if "emails" in own:
        own["emails"]["items"]["properties"]["value"]["format"] = "email"
    return {
        "type": "object",
        "description": f"{_words(schema.description)} What is sent beyond this is dropped.",
        "required": [str(each.name) for each in attributes if each.required],
        "properties": {"schemas": _URNS, "externalId": _EXTERNAL, **own},
    }


def _attribute(attribute: Attribute) -> Shape:
    kind = str(getattr(attribute.type, "value", attribute.type))
    if kind == "complex":
        parts = {str(part.name): _attribute(part) for part in attribute.sub_attributes or ()}
        shape: Shape = {"type": "object", "properties": parts}
    else:
        shape = dict(_KINDS[kind])
    words = {"description": _words(attribute.description)}
    return {"type": "array", "items": shape, **words} if attribute.multi_valued else {**shape, **words}


def _list(name: str) -> Shape:
    count = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "description": f"A page of a list; Resources is left out where it would be empty ({name}).",
        "required": ["schemas", "totalResults"],
        "properties": {
            "schemas": _URNS,
            "totalResults": {**count, "description": "How many fit in all"},
            "startIndex": {**count, "description": "The place of the first one here, from 1"},
            "itemsPerPage": {**count, "description": "How many are here"},
            "Resources": {"type": "array", "items": reference(told(name))},
        },
        "additionalProperties": False,
    }


def _patch() -> Shape:
    operation = {
        "type": "object",
        "required": ["op"],
        "properties": {
            "op": {"type": "string", "enum": ["add", "remove", "replace"]},
            "path": {"type": "string", "description": 'Such as displayName or emails[type eq "work"].value'},
            "value": {"description": "What it becomes; without a path an object of attributes"},
        },
    }
    return {
        "type": "object",
        "description": "Operations on one resource, all done or none.",
        "required": ["Operations"],
        "properties": {"schemas": _URNS, "Operations": {"type": "array", "minItems": 1, "items": operation}},
    }


def _error() -> Shape:
    return {
        "type": "object",
        "description": "Why a request of SCIM was refused.",
        "required": ["schemas", "status", "detail"],
        "properties": {
            "schemas": _URNS,
            "status": {"type": "string", "description": "The HTTP status"},
            "scimType": {"type": "string", "description": "SCIM's word for it, such as invalidFilter or uniqueness"},
            "detail": {"type": "string", "description": "The same in a sentence"},
        },
        "additionalProperties": False,
    }


def _words(text: str | None) -> str:
    return " ".join((text or "").replace("-\n", "-").split())
