"""What all shapes of the JSON API share, and reading them: bodies, queries, ids."""

from collections import Counter
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from flask import g, request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from app.core.errors import Invalid, MalformedRequest, NotFound, PayloadTooLarge, UnsupportedMediaType
from app.core.ids import parse_id

Model = TypeVar("Model", bound=BaseModel)
Item = TypeVar("Item")
Moment = Annotated[AwareDatetime, Field(description="UTC, RFC 3339")]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="A UTC date, YYYY-MM-DD")]
_WORDS = {"missing": "is required", "extra_forbidden": "is not known here"}


class Asked(BaseModel):
    """What a program sends: every field is named, none is guessed from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(BaseModel):
    """What a program is told."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Paging(Asked):
    """Which page of a list."""

    cursor: str | None = Field(
        None, max_length=400, description="The next_cursor of the page before, with the same filters"
    )
    limit: int = Field(50, ge=1, le=100, description="Rows a page")


class Listing(Told, Generic[Item]):
    """A page of rows; next_cursor is null on the last one."""

    items: list[Item]
    next_cursor: str | None = None


class FieldProblem(Told):
    """A field that will not do."""

    field: str
    detail: str


class Problem(Told):
    """What is told of every error (RFC 9457); errors only where fields will not do, permission where one lacks."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] | None = None
    permission: str | None = None


def read_id(text: str) -> UUID:
    """Return the id of an address. Raises NotFound for what is none: nothing can be there."""
    found = parse_id(text)
    if found is None:
        raise NotFound()
    return found


def read_body(model: type[Model], largest: int | None) -> Model:
    """Return the request's JSON body, at most `largest` bytes (None: what the application takes).

    Raises UnsupportedMediaType, PayloadTooLarge, MalformedRequest for what is no JSON, Invalid with the fields.
    """
    if not request.is_json:
        raise UnsupportedMediaType("The body must be JSON, sent as Content-Type: application/json.")
    g.sent = sent = _bytes(largest or request.max_content_length or 0)
    try:
        return model.model_validate_json(sent, strict=True)
    except ValidationError as error:
        raise _refusal(error, "The body was not accepted.") from None


def _bytes(largest: int) -> bytes:
    """Return the body. One of unknown length is read up to `largest` and refused if it goes on: never cut off."""
    refusal = PayloadTooLarge(f"The body may have at most {largest:,} bytes.")
    if (request.content_length or 0) > largest:
        raise refusal
    request.max_content_length = largest + 1
    sent = request.get_data(cache=False)
    if len(sent) > largest:
        raise refusal
    return sent


def read_query(model: type[Model]) -> Model:
    """Return the request's query. Raises Invalid with the parameters that will not do."""
    repeated = [
        name for name, number in Counter(name for name, _ in request.args.items(multi=True)).items() if number > 1
    ]
    if repeated:
        raise Invalid("The query was not accepted.", fields={_short(name): "is given twice" for name in repeated})
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise _refusal(error, "The query was not accepted.") from None


def _refusal(error: ValidationError, detail: str) -> Invalid | MalformedRequest:
    """Return the error in our form; what was sent is not in it."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if any(problem["type"] == "json_invalid" for problem in problems):
        return MalformedRequest("The body is not valid JSON.")
    return Invalid(detail, fields=dict(_named(problem) for problem in problems[:20]))


def _named(problem: ErrorDetails) -> tuple[str, str]:
    place: tuple[Any, ...] = problem["loc"]
    name = ".".join(str(part) for part in place) or "body"
    return _short(name), _WORDS.get(problem["type"], problem["msg"])


def _short(name: str) -> str:
    return name if len(name) <= 80 else name[:79] + "…"
