"""Routes of the staff console: who is signed in, one doorway a request, committed when the page answers below 400."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, Flask, g, make_response, redirect, request, session, url_for
from werkzeug.wrappers import Response

from app.db import oversight
from app.db.staff import Member
from app.db.units import Doorway
from app.services import staff
from app.serving.runtimes import runtime

View = TypeVar("View", bound=Callable[..., Any])
IN_COOKIE = "staff"


def open_page(blueprint: Blueprint, rule: str, *, methods: tuple[str, ...] = ("GET",)) -> Callable[[View], View]:
    """Serve a page to anybody; the view gets the doorway first."""
    return _page(blueprint, rule, methods, staff_only=False)


def staff_page(blueprint: Blueprint, rule: str, *, methods: tuple[str, ...] = ("GET",)) -> Callable[[View], View]:
    """Serve a page to staff who are signed in; the view gets the doorway first. Others are sent to sign in."""
    return _page(blueprint, rule, methods, staff_only=True)


def _page(blueprint: Blueprint, rule: str, methods: tuple[str, ...], *, staff_only: bool) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def serve(**arguments: Any) -> Response:
            with runtime().units.identify() as door:
                if staff_only and not _let_in(door):
                    target = request.full_path.rstrip("?") if request.method == "GET" else None
                    return redirect(url_for("logins.new", next=target), 303)
                response = make_response(view(door, **arguments))
                if response.status_code < 400:
                    door.commit()
                return response

        serve.staff_only = staff_only  # type: ignore[attr-defined]
        blueprint.add_url_rule(rule, view.__name__, serve, methods=list(methods))
        return view

    return decorate


def begin(token: str) -> None:
    """Give the browser a new session: nothing of an older one stays."""
    session.clear()
    session[IN_COOKIE] = token


def end() -> str | None:
    """Take the session from the browser; return its token, if there was one."""
    token = session.get(IN_COOKIE)
    session.clear()
    return token


def member() -> Member:
    """Return who is signed in. Raises RuntimeError on a page that anybody may open."""
    found: Member | None = g.get("member")
    if found is None:
        raise RuntimeError("no staff page")
    return found


def _let_in(door: Doorway) -> bool:
    """Find who is signed in, and how many plans are asked for, which each page tells."""
    token = session.get(IN_COOKIE)
    g.member = staff.member_of(door, token) if token else None
    if g.member is None:
        return False
    g.requests = oversight.count_requests(door.session)
    return True


def register_staff(app: Flask) -> None:
    """Tell templates who is signed in."""

    @app.context_processor
    def _who() -> dict[str, Any]:
        return {"member": g.get("member"), "requests_waiting": g.get("requests", 0), "tenant": None, "person": None}
