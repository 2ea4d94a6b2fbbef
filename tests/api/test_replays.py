"""Idempotency-Key: what is sent twice is done once."""

import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.api.documents import operations
from app.db.units import Units
from app.services import assets
from app.services.sweepers import Sweeper
from tests.api.test_routing import assert_problem
from tests.peers.programs import Program, issue
from tests.plugins.servers import Database

ASSETS = "/api/v1/assets"
LETTER = {"name": "Letter", "text": "My card is 4532-1234-5678-9010"}


def add(caller: Program, key: str | None = '"first"', **body: str) -> TestResponse:
    """Add a document with an Idempotency-Key."""
    headers = {"X-API-Key": caller.secret, **({"Idempotency-Key": key} if key is not None else {})}
    return caller.post(ASSETS, headers=headers, json=body or LETTER)


def assets_of(caller: Program) -> int:
    """How many assets the tenant has."""
    with caller.tenant.unit() as unit:
        return len(assets.list_assets(unit).rows)


def kept(database: Database, caller: Program) -> list[tuple[Any, ...]]:
    """The rows of kept answers of the tenant, as a superuser sees them."""
    with psycopg.connect(database.superuser) as connection:
        return connection.execute(
            "SELECT k::text FROM shared.kept_answers k WHERE tenant_id = %s", [caller.tenant.id]
        ).fetchall()


def test_a_repeated_request_is_answered_as_before(program: Callable[..., Program]) -> None:
    """The same key and body get the same status, body and Location with a mark, and one asset is added."""
    caller = program()
    first, again, bare = add(caller), add(caller), add(caller, "first")
    assert first.status_code == 201 and "Idempotency-Replayed" not in first.headers
    for answer in (again, bare):
        assert (answer.status_code, answer.data) == (201, first.data)
        assert answer.headers["Location"] == first.headers["Location"]
        assert answer.headers["Idempotency-Replayed"] == "true"
    assert assets_of(caller) == 1
    assert [row[2] for row in caller.calls()] == [201, 201, 201]


def test_another_key_or_none_is_another_request(program: Callable[..., Program]) -> None:
    """Without a key, and with another one, the request is carried out anew."""
    caller = program()
    for key in ("one", "two", None, None):
        assert add(caller, key).status_code == 201
    assert assets_of(caller) == 4


def test_another_body_is_422(program: Callable[..., Program]) -> None:
    """A key that comes with another body is refused, and nothing is done."""
    caller = program()
    add(caller)
    assert_problem(add(caller, name="Other", text="x"), 422, "idempotency-key-reused")
    assert assets_of(caller) == 1


@pytest.mark.parametrize("key", ["", '""', "x" * 201, "caf\N{LATIN SMALL LETTER E WITH ACUTE}", 'a"b', "two words"])
def test_a_malformed_key_is_400(program: Callable[..., Program], key: str) -> None:
    """A key that is not one string of printable ASCII is refused before anything is done."""
    caller = program()
    assert_problem(add(caller, key), 400, "malformed-request")
    assert assets_of(caller) == 0


def test_a_refusal_is_not_kept(program: Callable[..., Program], postgres_server: Database) -> None:
    """What was rolled back leaves no answer: the same key is tried anew."""
    caller = program()
    assert add(caller, name=" ", text="x").status_code == 422
    assert kept(postgres_server, caller) == []
    assert add(caller).status_code == 201


def test_a_failure_after_the_work_leaves_nothing(program: Callable[..., Program], postgres_server: Database) -> None:
    """Work and answer are one transaction: where the last step fails, neither is there."""
    caller = program()
    with patch("app.api.routing.write_call", side_effect=RuntimeError("planted")):
        assert add(caller).status_code == 500
    assert (assets_of(caller), kept(postgres_server, caller)) == (0, [])
    assert add(caller).status_code == 201


def test_answers_belong_to_credential_and_route(program: Callable[..., Program]) -> None:
    """Another API key, another tenant and another route get an answer of their own to the same Idempotency-Key."""
    caller = program()
    other_key = Program(caller.client, caller.address, caller.tenant, *issue(caller.tenant))
    stranger = program()
    answers = [add(each) for each in (caller, other_key, stranger)]
    assert all("Idempotency-Replayed" not in answer.headers for answer in answers)
    assert len({answer.data for answer in answers}) == 3
    asset = (answers[0].json or {})["id"]
    headers = {"X-API-Key": caller.secret, "Idempotency-Key": "first"}
    started = caller.post("/api/v1/scans", headers=headers, json={"asset_id": asset, "tool": "text"})
    assert started.status_code == 202


def test_a_duplicate_at_the_same_time_is_409(app: Flask, program: Callable[..., Program]) -> None:
    """While the first is at work, a second is refused and asked to come back; one asset is added."""
    caller = program()
    inside, go_on = threading.Event(), threading.Event()
    real = assets.add_document

    def slow(*given: Any, **more: Any) -> Any:
        inside.set()
        assert go_on.wait(60)
        return real(*given, **more)

    answers: list[TestResponse] = []
    with patch("app.services.assets.add_document", slow):
        first = threading.Thread(target=lambda: answers.append(add(caller)))
        first.start()
        assert inside.wait(60)
        second = add(Program(app.test_client(), caller.address, caller.tenant, caller.key_id, caller.secret))
        go_on.set()
        first.join()
    assert_problem(second, 409, "request-in-progress")
    assert second.headers["Retry-After"] == "1"
    assert answers[0].status_code == 201
    assert add(caller).headers["Idempotency-Replayed"] == "true"
    assert assets_of(caller) == 1


def test_a_revoked_permission_is_not_replayed(program: Callable[..., Program]) -> None:
    """A replay is asked for its permission like the first: one that lacks it learns nothing."""
    caller = program("tenant:assets:write", "tenant:assets:read")
    add(caller)
    reader = Program(caller.client, caller.address, caller.tenant, *issue(caller.tenant, "tenant:assets:read"))
    assert_problem(add(reader), 403, "permission-denied")


def test_nothing_that_was_sent_is_kept(program: Callable[..., Program], postgres_server: Database) -> None:
    """Neither the document's text nor the key is in the row, and a guard's answer is not kept at all."""
    caller = program()
    add(caller, "a-recognisable-key")
    headers = {"X-API-Key": caller.secret, "Idempotency-Key": "again"}
    asked = {"user_input": "My card is 4532-1234-5678-9010"}
    for _ in range(2):
        answer = caller.post("/api/v1/process", headers=headers, json=asked)
        assert answer.status_code == 200 and "Idempotency-Replayed" not in answer.headers
    rows = kept(postgres_server, caller)
    assert len(rows) == 1
    assert "4532" not in rows[0][0] and "a-recognisable-key" not in rows[0][0]


def age(database: Database, caller: Program) -> None:
    """Let a day and two hours pass for what is kept of the tenant."""
    with psycopg.connect(database.superuser) as connection:
        for table, column in (("shared.kept_answers", "expires_at"), ("auth.answers_due", "due_at")):
            connection.execute(
                f"UPDATE {table} SET {column} = {column} - interval '26 hours' WHERE tenant_id = %s", [caller.tenant.id]
            )


def test_after_a_day_the_key_is_free_again(program: Callable[..., Program], postgres_server: Database) -> None:
    """An answer that has expired is not replayed, swept or not: the request is carried out."""
    caller = program()
    add(caller)
    age(postgres_server, caller)
    assert "Idempotency-Replayed" not in add(caller).headers
    assert assets_of(caller) == 2
    assert len(kept(postgres_server, caller)) == 1


def test_the_worker_sweeps_what_expired(
    program: Callable[..., Program], worker_units: Units, postgres_server: Database
) -> None:
    """Expired answers are deleted by the worker, under the tenant's own policy; others stay."""
    caller, other = program(), program()
    add(caller)
    add(other)
    age(postgres_server, caller)
    sweeper = Sweeper(worker_units)
    while sweeper.run_once():
        pass
    assert kept(postgres_server, caller) == []
    assert len(kept(postgres_server, other)) == 1


def test_the_document_says_which_posts_keep_an_answer(app: Flask) -> None:
    """Every POST takes an Idempotency-Key, or says why it keeps no answer."""
    document = app.test_client().get("/api/v1/openapi.json", base_url="http://localhost:8000").json
    assert document is not None
    for method, address, operation in operations(app):
        told = document["paths"][address][method.lower()]
        names = {parameter["name"] for parameter in told["parameters"]}
        assert ("Idempotency-Key" in names) == (method == "POST" and operation.unkept is None), address
        if operation.unkept is not None:
            assert operation.unkept in told["description"]
