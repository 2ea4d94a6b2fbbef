"""What the SCIM service can do, the same for everybody: its configuration, resource types and schemas."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from flask import Response, request
from scim2_models import Context, ForbiddenException, ListResponse, Meta, Resource, ResourceType, Schema

from app.api.scim.routing import answer, blueprint, location_of, scim_problems
from app.api.scim.schemas import PROVIDER, configuration
from app.core.errors import AppError, NotFound
from app.serving.runtimes import runtime

View = Callable[..., Response]


def _public(rule: str, *methods: str) -> Callable[[View], View]:
    """Serve what tells nothing of any tenant."""

    def decorate(view: View) -> View:
        @wraps(view)
        def serve(**given: str) -> Response:
            with scim_problems():
                return view(**given)

        serve.permission = None  # type: ignore[attr-defined]
        serve.public = True  # type: ignore[attr-defined]
        serve.scim = True  # type: ignore[attr-defined]
        blueprint.add_url_rule(
            rule, view.__name__, serve, methods=list(methods or ("GET",)), provide_automatic_options=False
        )
        return view

    return decorate


@_public("/ServiceProviderConfig")
def service_provider_config() -> Response:
    """Return what is served and what is not."""
    address = f"{runtime().settings.base_url}/scim/v2/ServiceProviderConfig"
    config = configuration(address, "https://datatracker.ietf.org/doc/html/rfc7644")
    return answer(config.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))


@_public("/ResourceTypes")
def resource_types() -> Response:
    """Return the kinds of resource."""
    return _listed(_resource_types())


@_public("/ResourceTypes/<scim_name>")
def resource_type(scim_name: str) -> Response:
    """Return one kind of resource."""
    return _one(_resource_types(), scim_name)


@_public("/Schemas")
def schemas() -> Response:
    """Return the schemas of users and groups."""
    return _listed(_schemas())


@_public("/Schemas/<scim_name>")
def schema(scim_name: str) -> Response:
    """Return one schema."""
    return _one(_schemas(), scim_name)


@_public("/.search", "POST")
def search_all() -> Response:
    """Say that one cannot search over users and groups at once."""
    return _not_served()


@_public("/Bulk", "POST")
def bulk() -> Response:
    """Say that there is no bulk."""
    return _not_served()


@_public("/Me", "GET", "POST", "PUT", "PATCH", "DELETE")
def me() -> Response:
    """Say that a token is nobody's own."""
    return _not_served()


def _not_served() -> Response:
    problem = AppError("This service does not do that.")
    problem.status = 501
    raise problem


def _resource_types() -> list[Resource[Any]]:
    found: list[Resource[Any]] = []
    for kind in PROVIDER.resource_types:
        meta = Meta(resource_type="ResourceType", location=location_of("ResourceTypes", kind.id))
        found.append(kind.model_copy(update={"meta": meta}))
    return found


def _schemas() -> list[Resource[Any]]:
    found: list[Resource[Any]] = []
    for each in PROVIDER.schemas:
        meta = Meta(resource_type="Schema", location=location_of("Schemas", each.id))
        found.append(each.model_copy(update={"meta": meta}))
    return found


def _listed(rows: Sequence[Resource[Any]]) -> Response:
    if request.args.get("filter"):
        raise ForbiddenException(detail="Discovery is not filtered.")
    listed = ListResponse[Schema | ResourceType](
        total_results=len(rows), start_index=1, items_per_page=len(rows), resources=list(rows)
    )
    return answer(listed.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))


def _one(rows: Sequence[Resource[Any]], name: str) -> Response:
    for row in rows:
        if row.id == name:
            return answer(row.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))
    raise NotFound(f"There is no {name}.")
