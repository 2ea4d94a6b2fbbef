"""Routes of pages: each names the permission that it needs; each is one unit of work with one commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Blueprint, Flask, current_app, g, make_response, request
from flask_login import current_user
from werkzeug.wrappers import Response

from app.core.errors import NotFound
from app.core.permissions import Permission
from app.db.directory import TenantView, Visitor
from app.db.units import Doorway, Home, Unit
from app.db.visits import Visit
from app.services import entrances, suspensions
from app.services.access import require
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.tenancy.context import tenant_scope
from app.web.plan_notes import plan_note
from app.web.sessions import doorway, visitor

TENANT = "/t/<slug>"
FORM_TIME = timedelta(minutes=10)
View = TypeVar("View", bound=Callable[..., Any])


def tenant_blueprint(noun: str, module: str) -> Blueprint:
    """Return a blueprint whose pages stand beneath a tenant's address."""
    return Blueprint(noun, module, url_prefix=TENANT)


def tenant_page(
    blueprint: Blueprint,
    rule: str,
    permission: Permission,
    *,
    home: Home = Home.CONTENT,
    methods: tuple[str, ...] = ("GET",),
    endpoint: str | None = None,
    confirmed: bool = False,
    closed: bool = False,
) -> Callable[[View], View]:
    """Serve a tenant's page: sign-in, membership and `permission` are checked, then the view gets the unit first.

    A `closed` page is what an owner may still open in a tenant that is closed; in one that works it is like
    any other. A `confirmed` page wants a proof of who asks that is not older than 15 minutes.

    The unit is committed when the view answers below 400, and rolled back otherwise.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def serve(slug: str, **arguments: Any) -> Response:
            g.slug = slug
            if not current_user.is_authenticated:
                return cast(Response, current_app.login_manager.unauthorized())  # type: ignore[attr-defined]
            unit = _enter(home, closed=closed)
            require(unit, permission)
            if confirmed:
                _require_confirmed()
            response = make_response(view(unit, **arguments))
            if response.status_code < 400:
                unit.commit()
            return response

        serve.permission = permission  # type: ignore[attr-defined]
        serve.confirmed = confirmed  # type: ignore[attr-defined]
        serve.closed = closed  # type: ignore[attr-defined]
        blueprint.add_url_rule(rule, endpoint or view.__name__, serve, methods=list(methods))
        return view

    return decorate


def _require_confirmed() -> None:
    """Return if the proof is young enough; a form gets some time to be filled in after its page was shown."""
    since = doorway().units.clock.now() - (timedelta(0) if request.method == "GET" else FORM_TIME)
    entrances.require_confirmed(_visitor(), since)


def _visitor() -> Visitor:
    who = visitor()
    if who is None:
        raise RuntimeError("nobody is signed in")
    return who


def _enter(home: Home, *, closed: bool) -> Unit:
    who = _visitor()
    g.tenant = who.tenant
    g.denied_entry = entrances.entry_of(who, origin())
    enter = entrances.enter_closed if closed else entrances.enter_tenant
    unit = enter(doorway(), who, home, origin=origin())
    g.actor, g.tenant_id, g.unit = unit.actor, unit.tenant_id, unit
    return unit


def shell() -> Visit:
    """Return what the shell of a tenant's page shows beside it, and note the visit; asked once a request."""
    if "visit" not in g:
        g.visit = entrances.visit(doorway(), current_user.token)
        g.plan_note = plan_note(g.unit, g.tenant)
    return cast(Visit, g.visit)


def closing() -> suspensions.Closing:
    """Return what the page of a closed tenant tells its member."""
    entry = entrances.entry_of(_visitor(), origin())
    if entry is None:
        raise NotFound()
    return suspensions.closing(doorway().enter(entry, Home.ACCOUNT))


def give_up(unit: Unit) -> None:
    """End the page's transaction before its answer, so that none is open while somebody else's server is asked.

    What the shell shows is read before; whatever the page reads or writes afterwards it does `afresh`.
    """
    shell()
    unit.commit()


@contextmanager
def afresh(unit: Unit) -> Iterator[Unit]:
    """Go on in a new transaction, as the same actor in the same tenant; the caller commits it.

    For a page that gave its transaction up while it waited for somebody else's server.
    """
    with tenant_scope(unit.tenant_id), runtime().units.open(unit.home, unit.actor) as again:
        yield again


def public_page(
    blueprint: Blueprint, rule: str, *, methods: tuple[str, ...] = ("GET",), endpoint: str | None = None
) -> Callable[[View], View]:
    """Serve a page without a tenant; the view gets the doorway first, which is committed when it answers below 400."""

    def decorate(view: View) -> View:
        @wraps(view)
        def serve(**arguments: Any) -> Response:
            door = doorway()
            response = make_response(view(door, **arguments))
            if response.status_code < 400:
                door.commit()
            return response

        serve.permission = None  # type: ignore[attr-defined]
        serve.public = True  # type: ignore[attr-defined]
        blueprint.add_url_rule(rule, endpoint or view.__name__, serve, methods=list(methods))
        return view

    return decorate


def personal_page(
    blueprint: Blueprint, rule: str, *, methods: tuple[str, ...] = ("GET",), confirmed: bool = False
) -> Callable[[View], View]:
    """Serve a page of one's own account: like a public one, for whoever is signed in.

    A `confirmed` page wants a proof of who asks that is not old, and not by a tenant's provider alone.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def serve(door: Doorway, **arguments: Any) -> Any:
            if not current_user.is_authenticated:
                return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
            g.wants_person = True
            if confirmed:
                entrances.require_own_proof(_visitor())
                _require_confirmed()
            return view(door, **arguments)

        serve.confirmed = confirmed  # type: ignore[attr-defined]
        public_page(blueprint, rule, methods=methods)(serve)
        return view

    return decorate


def register_tenant_urls(app: Flask) -> None:
    """Let links within a tenant's pages leave the slug out, and give templates tenant and person."""

    @app.url_defaults
    def _slug(endpoint: str, values: dict[str, Any]) -> None:
        if "slug" not in values and app.url_map.is_endpoint_expecting(endpoint, "slug"):
            given = (request.view_args or {}).get("slug") or g.get("slug")
            if given:
                values["slug"] = given

    @app.context_processor
    def _who() -> dict[str, Any]:
        who = visitor() if g.get("tenant") is not None or g.get("wants_person") else None
        tenant: TenantView | None = g.get("tenant")
        note = {"plan_note": lambda: shell() and g.plan_note}
        return {"tenant": tenant, "person": who, "shell": shell, "closing": closing, **note}


__all__ = ["Doorway", "personal_page", "public_page", "register_tenant_urls", "tenant_blueprint", "tenant_page"]
