"""Where one goes back to after proving who one is: a path of this site, never another's."""

from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.exceptions import HTTPException


def within(target: str | None) -> str | None:
    """Return `target` if it is a path of this site."""
    given = target or ""
    parts = urlsplit(given)
    inside = parts.path.startswith("/") and not given.startswith("//") and "\\" not in given and given.isprintable()
    return given if inside and not parts.scheme and not parts.netloc else None


def present() -> str:
    """Return the page that was asked for; for a form's, the page that the form stands on."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    if _is_page(request.path):
        return request.path
    parts = urlsplit(request.referrer or "")
    return parts.path if parts.netloc == request.host and _is_page(parts.path) else "/"


def _is_page(path: str) -> bool:
    try:
        current_app.url_map.bind(request.host).match(path, "GET")
    except HTTPException:
        return False
    return True
