"""Routes of the JSON API that ask for no credential: they are how one gets one."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from flask import Blueprint, Response
from pydantic import BaseModel

from app.api.routing import PREFIX, Answer, Operation, respond
from app.api.shapes import read_body
from app.db.units import Home
from app.serving.runtimes import runtime

_UNKEPT = "nobody has come in yet whose it could be"
View = TypeVar("View", bound=Callable[..., "Answer | BaseModel"])


def opening(
    blueprint: Blueprint,
    method: str,
    rule: str,
    *,
    answer: type[BaseModel],
    body: type[BaseModel] | None = None,
    status: int = 200,
    refusals: tuple[int, ...] = (),
    addresses: tuple[str, ...] | None = None,
) -> Callable[[View], View]:
    """Serve `method` on `rule` (beneath /api/v1, and as it stands) to anybody; on `addresses` alone where given.

    The view gets the doorway first and `body` by name; what it did through the doorway is committed when it answers.
    `refusals` are the statuses that it may raise besides those of a body that will not do.
    """

    def decorate(view: View) -> View:
        operation = Operation(
            view, (), answer, status, body, None, None, False, Home.ACCOUNT, _UNKEPT, None, None, True, refusals
        )

        @wraps(view)
        def serve() -> Response:
            arguments = {} if body is None else {"body": read_body(body, None)}
            with runtime().units.identify() as door:
                told = view(door, **arguments)
                response = respond(operation, told if isinstance(told, Answer) else Answer(told))
                door.commit()
                return response

        serve.operation = operation  # type: ignore[attr-defined]
        serve.permission, serve.public = None, True  # type: ignore[attr-defined]
        for number, address in enumerate(addresses or (PREFIX + rule, rule)):
            endpoint = view.__name__ if number == 0 else f"{view.__name__}_alias"
            blueprint.add_url_rule(address, endpoint, serve, methods=[method], provide_automatic_options=False)
        return view

    return decorate
