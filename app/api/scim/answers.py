"""Answers that tell resources: one or a list of them, with the attributes that are asked for."""

from collections.abc import Sequence
from typing import Any

from flask import Response
from scim2_models import Context, ListResponse, Resource, ResponseParameters

from app.api.scim.queries import Wanted
from app.api.scim.routing import answer


def tell(shown: Resource[Any], chosen: ResponseParameters[Any], context: Context, status: int = 200) -> Response:
    """Answer with what is chosen of a resource, and its version; with 201 also with where it is."""
    told = shown.model_dump(scim_ctx=context, response_parameters=chosen)
    response = answer(told, status, version=shown.meta.version if shown.meta else None)
    if status == 201 and shown.meta and shown.meta.location:
        response.headers["Location"] = shown.meta.location
    return response


def tell_list(model: type[Resource[Any]], shown: Sequence[Resource[Any]], asked: Wanted, count: int) -> Response:
    """Answer with the resources of a page; `count` is how many fit in all."""
    listed: ListResponse[Any] = ListResponse[model](  # type: ignore[valid-type]
        total_results=count, start_index=asked.skip + 1, items_per_page=len(shown), resources=list(shown)
    )
    return answer(listed.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=asked.parameters))
