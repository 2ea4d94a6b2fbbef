"""The description of SCIM agrees with SCIM, whatever is sent."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.api.scim import schemas, shapes
from app.api.scim.documents import operations
from app.services import provisioned_people
from tests.peers.directories import directory_of
from tests.peers.fuzzers import Fuzzer
from tests.peers.tenants import Made

DOCUMENT = "/scim/v2/openapi.json"
MANY = int(os.environ.get("FUZZ_EXAMPLES", "25"))
NOT_SERVED = {"scim.bulk", "scim.me", "scim.search_all"}


def test_the_document_is_valid_and_complete(app: Flask, client: FlaskClient, base_url: str) -> None:
    """It is valid OpenAPI 3.1 with every route of SCIM but those that answer 501; the page for people lists them."""
    document: dict[str, Any] = client.get(DOCUMENT, base_url=base_url).get_json()
    OpenAPIV31SpecValidator(document).validate()
    told = {described["operationId"] for methods in document["paths"].values() for described in methods.values()}
    served = {name for name, view in app.view_functions.items() if getattr(view, "scim", False)}
    assert told == served - NOT_SERVED
    page = client.get("/api/v1/reference", base_url=base_url).text
    assert all(f"{method} /scim/v2{address}" in page for method, address, _ in operations(app))


def test_shapes_name_what_is_kept() -> None:
    """What may be sent of a user is what is kept; what is only told is not asked for."""
    sent = shapes.shapes()[shapes.sent("User")]
    kept = {name for name in schemas.User.model_fields if name not in ("id", "meta", "groups")}
    assert len(sent["properties"]) == len(kept) and sent["required"] == ["userName"]
    assert "groups" in shapes.shapes()[shapes.told("User")]["properties"]


@pytest.fixture
def fuzzer(
    app: Flask, client: FlaskClient, base_url: str, tenants: Callable[[], Made], monkeypatch: pytest.MonkeyPatch
) -> Fuzzer:
    """A fuzzer of a tenant that has a person and a group, and to which every address belongs."""
    directory, ids = directory_of(tenants(), client, base_url)
    monkeypatch.setattr(provisioned_people, "in_proven_domain", lambda _unit, _address: True)
    return Fuzzer(app, base_url, {"Authorization": f"Bearer {directory.secret}"}, ids)


def gently(fuzzer: Fuzzer) -> list[Any]:
    """Return the operations, what deletes last: the others find what they name."""
    return sorted(fuzzer.operations(DOCUMENT), key=lambda operation: operation.method.lower() == "delete")


def test_every_operation_answers_as_described(fuzzer: Fuzzer) -> None:
    """A few requests to each operation: no 5xx, no undocumented status, no other shape."""
    for operation in gently(fuzzer):
        fuzzer.ask(operation, examples=6, repeat=True)
    reached = {label for label, seen in fuzzer.seen.items() if any(status < 300 for status in seen)}
    assert len(reached) >= len(fuzzer.seen) // 2, fuzzer.seen


@pytest.mark.prove
def test_many_requests(fuzzer: Fuzzer) -> None:
    """Many requests to each operation."""
    for operation in gently(fuzzer):
        fuzzer.ask(operation, examples=MANY, repeat=False)
