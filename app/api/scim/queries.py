"""What a SCIM request asks to see: which rows, and which attributes of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request
from scim2_models import Resource, ResponseParameters, SearchRequest

from app.api.scim.schemas import MOST_RESULTS
from app.services.scim_filters import Compare, Condition, condition

DEFAULT_COUNT = 100
NAMES = ("filter", "startIndex", "count", "attributes", "excludedAttributes")


@dataclass(frozen=True)
class Wanted:
    """Which rows of a list: a condition, how many to pass over, how many to take; `parameters` choose attributes."""

    condition: Condition | None
    skip: int
    count: int
    parameters: ResponseParameters[Any]


def parameters(model: type[Resource[Any]]) -> ResponseParameters[Any]:
    """Return the attributes that the request asks for. Raises pydantic.ValidationError."""
    given = {name: request.args[name] for name in ("attributes", "excludedAttributes") if request.args.get(name)}
    read: ResponseParameters[Any] = ResponseParameters[model].model_validate(given)  # type: ignore[valid-type]
    return read


def wanted(model: type[Resource[Any]], known: Mapping[str, Compare]) -> Wanted:
    """Return what a request for a list asks for. Raises SCIMException or pydantic.ValidationError."""
    given = {name: request.args[name] for name in NAMES if request.args.get(name)}
    search: SearchRequest[Any] = SearchRequest[model].model_validate(given)  # type: ignore[valid-type]
    count = DEFAULT_COUNT if search.count is None else min(search.count, MOST_RESULTS)
    chosen = None if search.filter is None else condition(search.filter.ast, known)
    skip = min((search.start_index or 1) - 1, 2**31)
    return Wanted(chosen, skip, count, search)


def leaves_out(chosen: ResponseParameters[Any], name: str) -> bool:
    """Tell whether an attribute is not asked for, so that it need not be read."""
    if any(str(path).lower() == name for path in chosen.excluded_attributes or ()):
        return True
    asked = [str(path).lower().rsplit(":", 1)[-1].split(".")[0] for path in chosen.attributes or ()]
    return bool(asked) and name not in asked
