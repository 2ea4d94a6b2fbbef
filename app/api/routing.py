"""Routes of the JSON API: each names the permissions that it needs; each is one unit of work with one commit."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar
from uuid import UUID

from flask import Blueprint, Response, g, request
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from app.api.credentials import credential
from app.api.preconditions import require_match
from app.api.replays import answered_once
from app.api.shapes import read_body, read_id, read_query
from app.core.errors import AppError
from app.core.permissions import Permission
from app.db.units import Doorway, Entry, Home, Unit
from app.models.tables import Identified
from app.models.tenants import Tenant
from app.services import access_tokens, entrances, tokens
from app.services.access import require
from app.services.calls import Call, call_of, write_call
from app.serving.limits import NoCounter, RateLimited, limit_call
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.tenancy.actors import Actor

PREFIX = "/api/v1"
View = TypeVar("View", bound=Callable[..., "Answer | BaseModel"])
SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Answer:
    """A body with what goes beside it: headers, and the word that the row of the call keeps (`verdict`)."""

    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)
    verdict: str | None = None


@dataclass(frozen=True)
class Operation:
    """What a route promises; the OpenAPI document is made from it."""

    view: Callable[..., Answer | BaseModel]
    permissions: tuple[Permission, ...]
    answer: type[BaseModel]
    status: int
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    largest: int | None
    tagged: bool
    home: Home
    unkept: str | None
    current: Callable[..., BaseModel] | None
    held: type[Identified] | type[Tenant] | None
    opened: bool = False
    refusals: tuple[int, ...] = ()


def noun_blueprint(noun: str, module: str) -> Blueprint:
    """Return the blueprint of one noun of the API."""
    return Blueprint(f"api_{noun}", module)


def resource(
    blueprint: Blueprint,
    method: str,
    rule: str,
    *permissions: Permission,
    answer: type[BaseModel],
    status: int = 200,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    largest: int | None = None,
    tagged: bool = False,
    aliases: tuple[str, ...] = (),
    home: Home = Home.CONTENT,
    unkept: str | None = None,
    current: Callable[..., BaseModel] | None = None,
    held: type[Identified] | type[Tenant] | None = None,
) -> Callable[[View], View]:
    """Serve `method` on `rule` (beneath /api/v1; `aliases` are whole addresses) to programs.

    In this order: the key or access token (401, 403 for a closed tenant), rate limits (429), `permissions` (403), the
    ids of the address (404), query and body (400, 413, 415, 422). Then the view gets the unit of `home` first, `body`
    and `query` by name; its answer is sent with `status`, with an ETag where it is `tagged`. The call is written down:
    with the view's commit, or by itself where it was refused for anything but its rate.

    A POST with an Idempotency-Key is done once, and its answer kept, unless `unkept` says why not: an answer that holds
    a secret is never kept. An update names the view that shows the thing as `current`, and the table of its row as
    `held`: then If-Match is honoured (412).
    """

    def decorate(view: View) -> View:
        operation = Operation(
            view, permissions, answer, status, body, query, largest, tagged, home, unkept, current, held
        )

        @wraps(view)
        def serve(**ids: str) -> Response:
            return _serve(operation, ids)

        serve.operation = operation  # type: ignore[attr-defined]
        serve.permission = permissions[0] if permissions else None  # type: ignore[attr-defined]
        serve.keyed = True  # type: ignore[attr-defined]
        for number, address in enumerate((PREFIX + rule, *aliases)):
            endpoint = view.__name__ if number == 0 else f"{view.__name__}_alias"
            blueprint.add_url_rule(address, endpoint, serve, methods=[method], provide_automatic_options=False)
        return view

    return decorate


def _serve(operation: Operation, ids: Mapping[str, str]) -> Response:
    secret = credential()
    g.entry = None
    try:
        with runtime().units.identify(relaxed=request.method == "GET") as door:
            unit = _enter(door, secret, operation)
            limit_call(unit)
            for permission in operation.permissions:
                require(unit, permission)
            response = _answered(operation, unit.at_home(operation.home), ids)
            call = _call(unit.actor, response.status_code, g.get("verdict"))
            changing = request.method not in SAFE
            if changing:
                write_call(unit, call)
            unit.commit()
            _count(unit.tenant_id, call, written=changing)
            return response
    except Exception as error:
        if g.entry is not None and not isinstance(error, RateLimited | NoCounter):  # a refusal must cost little
            _count(g.entry.tenant_id, _call(g.entry.actor, _status(error)), written=False)
        raise


def _enter(door: Doorway, secret: str, operation: Operation) -> Unit:
    """Go in by the key or the token alone, asked anew each time: a revocation holds from the next request on.

    From the moment that the key is known, a call that is refused is written down.
    """
    g.key_holder, g.visitor = None, None
    if access_tokens.looks_like_token(secret):
        base_url, keys = runtime().settings.base_url, runtime().public_keys
        unit, g.visitor = tokens.by_token(door, secret, keys=keys, base_url=base_url, origin=origin())
        g.entry = g.denied_entry = Entry(unit.tenant_id, unit.placement, unit.actor)
    else:
        found = entrances.find_key(door, secret, peppers=runtime().peppers, origin=origin())
        g.denied_entry = found.entry
        g.entry = found.entry if found.holder.tenant.status in entrances.OPEN else None
        unit, g.key_holder = entrances.by_key(door, found), found.holder
        uses = runtime().key_uses
        uses.note(found.holder, unit.actor, unit.actor.permissions.intersection(operation.permissions))
        uses.note_secret(found.holder, secret)
    g.actor, g.tenant_id = unit.actor, unit.tenant_id
    return unit


def _answered(operation: Operation, unit: Unit, given: Mapping[str, str]) -> Response:
    ids = {name: read_id(text) for name, text in given.items()}
    asked = _asked(operation)

    def work() -> Response:
        if operation.current is not None:
            require_match(unit, operation.current, operation.held, ids)
        answer = operation.view(unit, **ids, **asked)
        if isinstance(answer, BaseModel):
            answer = Answer(answer)
        g.verdict = answer.verdict
        return respond(operation, answer)

    return answered_once(unit, work) if request.method == "POST" and operation.unkept is None else work()


def _asked(operation: Operation) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if operation.query is not None:
        arguments["query"] = read_query(operation.query)
    if operation.body is not None:
        arguments["body"] = read_body(operation.body, operation.largest)
    return arguments


def respond(operation: Operation, answer: Answer) -> Response:
    """Return the answer as its operation promises it."""
    response = Response(answer.body.model_dump_json(), operation.status, mimetype="application/json")
    response.headers.update(answer.headers)
    if operation.tagged:
        response.add_etag()
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["Vary"] = "X-API-Key, X-Tenant-Key, Authorization"
        response.make_conditional(request)
    return response


def _call(actor: Actor, status: int, verdict: str | None = None) -> Call:
    rule = request.url_rule.rule if request.url_rule else ""
    took = int((time.perf_counter() - g.started) * 1_000_000)
    at = runtime().units.clock.now()
    return call_of(actor, at, method=request.method, endpoint=rule, status=status, microseconds=took, verdict=verdict)


def _count(tenant_id: UUID, call: Call, *, written: bool) -> None:
    """Count a call; the row of one that changed nothing is written with the count."""
    runtime().call_counts.note(tenant_id, call, written=written)


def _status(error: Exception) -> int:
    if isinstance(error, AppError):
        return error.status
    if isinstance(error, HTTPException):
        return error.code or 500
    return 503 if isinstance(error, DBAPIError) else 500
