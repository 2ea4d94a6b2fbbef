"""Who is signed in: a random token in the signed cookie, its row in the directory, through Flask-Login."""

from typing import Any

from flask import Flask, g, redirect, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.wrappers import Response

from app.db.directory import Visitor
from app.db.units import Doorway
from app.services import entrances
from app.services.accounts import SLUG, PendingSignIn, SignIn
from app.serving.runtimes import runtime


class Person(UserMixin):  # type: ignore[misc]
    """A signed-in person, as the directory told with this request."""

    def __init__(self, token: str, visitor: Visitor | None = None) -> None:
        self.token = token
        self.visitor = visitor

    def get_id(self) -> str:
        """Return the session's token, which the signed cookie carries."""
        return self.token


def doorway() -> Doorway:
    """Return the request's doorway: the transaction in which the directory is asked, closed with the request."""
    if "doorway" not in g:
        g.doorway_context = runtime().units.identify()
        g.doorway = g.doorway_context.__enter__()
    return g.doorway  # type: ignore[no-any-return]


def begin(sign_in: SignIn) -> None:
    """Give the browser a new session: nothing of an older one stays."""
    session.clear()
    session.permanent = True
    login_user(Person(sign_in.token))


def wait(pending: PendingSignIn, wanted: str | None) -> None:
    """Let the browser keep the token of a sign-in that waits for a second factor: nobody is signed in by it."""
    logout_user()
    session.clear()
    session["waiting"] = pending.token
    if wanted:
        session["next"] = wanted


def waiting() -> str:
    """Return the token of the sign-in that waits, or nothing."""
    return str(session.get("waiting", ""))


def renew(new_token: str) -> None:
    """Go on under another token, which the service has put in place of the present one."""
    login_user(Person(new_token, visitor()))


def end() -> str | None:
    """Take the session from the browser; return its token, if there was one."""
    token = current_user.token if current_user.is_authenticated else None
    logout_user()
    session.clear()
    return token


def token() -> str:
    """Return the present session's token. Raises RuntimeError where nobody is signed in."""
    if not current_user.is_authenticated:
        raise RuntimeError("nobody is signed in")
    return str(current_user.token)


def visitor() -> Visitor | None:
    """Return who is signed in."""
    return current_user.visitor if current_user.is_authenticated else None


def register_sessions(app: Flask) -> None:
    """Recognise who is signed in, with the first look at `current_user`."""
    manager = LoginManager(app)
    manager.session_protection = None

    @manager.user_loader  # type: ignore[untyped-decorator]
    def _load(token: str) -> Person | None:
        slug = (request.view_args or {}).get("slug")
        if slug is not None and not SLUG.fullmatch(slug):
            slug = None
        found = entrances.by_session(doorway(), token, slug)
        return None if found is None else Person(token, found)

    @manager.unauthorized_handler  # type: ignore[untyped-decorator]
    def _sign_in_first() -> Response:
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("logins.new", next=target), 303)

    @app.teardown_request
    def _close(_error: BaseException | None) -> None:
        context: Any = g.pop("doorway_context", None)
        g.pop("doorway", None)
        if context is not None:
            context.__exit__(None, None, None)
