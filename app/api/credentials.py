"""The credential of a request: an API key in one of three headers, never a cookie."""

from flask import request

from app.core.errors import MalformedRequest, Unauthenticated

HEADERS = ("X-API-Key", "X-Tenant-Key")
_SCHEME = "bearer"


def credential() -> str:
    """Return the key that the request carries; the same one twice is one.

    Raises Unauthenticated where there is none, MalformedRequest where there are two different ones.
    """
    given = {value.strip() for name in HEADERS if (value := request.headers.get(name, "")).strip()}
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme and scheme.lower() != _SCHEME:
        raise Unauthenticated("Authorization must be of the form: Bearer, a space, the API key.")
    if token.strip():
        given.add(token.strip())
    if not given:
        raise Unauthenticated("Send an API key as X-API-Key, X-Tenant-Key or Authorization: Bearer.")
    if len(given) > 1:
        raise MalformedRequest("The request carries two different credentials.")
    return given.pop()
