"""Requests made from the API's own description: whatever is sent, the answer is one that it promises."""

import os
from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.permissions import KEY_SCOPES
from tests.peers.bearers import Bearer, confirm_address
from tests.peers.fuzzers import Fuzzer
from tests.peers.programs import Program, Stock, issue
from tests.peers.tenants import Made
from tests.plugins.servers import Database

MANY = int(os.environ.get("FUZZ_EXAMPLES", "25"))  # for each kind of request to each operation


@pytest.fixture
def fuzzer(app: Flask, base_url: str, stocked: Callable[[Made], Stock]) -> Callable[..., Fuzzer]:
    """Makes fuzzers of a tenant that has something of each kind."""

    def make(made: Made, **headers: str) -> Fuzzer:
        ids: dict[str, UUID] = {**stocked(made).ids, "key_id": issue(made)[0]}
        return Fuzzer(app, base_url, {name.replace("_", "-"): value for name, value in headers.items()}, ids)

    return make


@pytest.fixture
def signed_in(client: FlaskClient, base_url: str, tenants: Callable[[], Made], postgres_server: Database) -> Bearer:
    """A program of a tenant's owner, who may do everything."""
    bearer = Bearer(client, base_url, tenants())
    confirm_address(postgres_server, bearer.made.email)
    assert bearer.login().status_code == 200
    return bearer


def test_every_operation_answers_as_described(program: Callable[..., Program], fuzzer: Callable[..., Fuzzer]) -> None:
    """A few requests to each operation with a key of all scopes: no 5xx, no undocumented status, no other shape."""
    caller = program()
    fuzz = fuzzer(caller.tenant, X_API_Key=caller.secret)
    for operation in fuzz.operations():
        fuzz.ask(operation, examples=6, repeat=True)
    reached = [label for label, seen in fuzz.seen.items() if any(status < 300 for status in seen)]
    assert len(reached) > len(fuzz.seen) // 4, fuzz.seen


def test_every_operation_answers_a_person_as_described(signed_in: Bearer, fuzzer: Callable[..., Fuzzer]) -> None:
    """A few requests to each operation with an owner's access token: the same."""
    fuzz = fuzzer(signed_in.made, Authorization=f"Bearer {signed_in.access}")
    for operation in fuzz.operations():
        fuzz.ask(operation, examples=3, repeat=True)


@pytest.mark.prove
def test_many_requests_with_every_scope(program: Callable[..., Program], fuzzer: Callable[..., Fuzzer]) -> None:
    """Many requests to each operation with a key of all scopes."""
    caller = program()
    fuzz = fuzzer(caller.tenant, X_API_Key=caller.secret)
    for operation in fuzz.operations():
        fuzz.ask(operation, examples=MANY, repeat=False)


@pytest.mark.prove
def test_many_requests_of_a_person(signed_in: Bearer, fuzzer: Callable[..., Fuzzer]) -> None:
    """Many requests to each operation with an owner's access token, who may do what no key can."""
    for operation in (fuzz := fuzzer(signed_in.made, Authorization=f"Bearer {signed_in.access}")).operations():
        assert signed_in.renew().status_code == 200  # the run is longer than 15 minutes
        fuzz.headers = {"Authorization": f"Bearer {signed_in.access}"}
        fuzz.ask(operation, examples=MANY, repeat=False)


@pytest.mark.prove
@pytest.mark.parametrize("scope", [str(scope) for scope in KEY_SCOPES])
def test_many_requests_with_one_scope(
    scope: str, program: Callable[..., Program], fuzzer: Callable[..., Fuzzer]
) -> None:
    """With a single scope, what needs another one never succeeds, and the rest answers as it promises."""
    caller = program(scope)
    fuzz = fuzzer(caller.tenant, X_API_Key=caller.secret)
    for operation in fuzz.operations():
        fuzz.ask(operation, examples=max(2, MANY // 12), repeat=False)
        needed = operation.definition.raw["x-permissions"]
        if not set(needed) <= {scope}:
            assert not [status for status in fuzz.seen[operation.label] if status < 400], operation.label
