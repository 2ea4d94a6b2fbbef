"""Errors, mapped once: problem documents (RFC 9457) for JSON and for fragments, pages for people."""

import json

import structlog
from flask import Flask, Response, g, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from app.core import errors
from app.core.errors import AppError
from app.serving.denials import note_denial

log = structlog.get_logger("sentinel.errors")
SCIM_PREFIX = "/scim/"
SCIM_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
JSON_PREFIXES = (
    "/workspaces",
    "/api/",
    "/users",
    "/auth/login",
    "/auth/logout",
    "/auth/me",
    "/auth/refresh",
    "/auth/register",
    "/health",
    "/metrics",
    "/orgs/",
    "/process",
    "/ready",
)
_OF_STATUS: dict[int, type[AppError]] = {
    400: errors.MalformedRequest,
    401: errors.Unauthenticated,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    409: errors.Conflict,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
    421: errors.Misdirected,
    422: errors.Invalid,
    429: errors.TooManyRequests,
    503: errors.Unavailable,
}

_PAGES: dict[type[AppError], str] = {
    errors.TenantClosed: "errors/suspended.html",
    errors.QuotaExceeded: "errors/quota.html",
}


def problem(error: AppError) -> Response:
    """Return the problem document of `error`."""
    body: dict[str, object] = {
        "type": error.problem_type or f"https://sentinel.invalid/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "request_id": g.get("request_id"),
    }
    if error.fields:
        body["errors"] = [{"field": name, "detail": what} for name, what in error.fields.items()]
    body.update(error.extra)
    answer = Response(json.dumps(body), status=error.status, mimetype="application/problem+json")
    answer.headers.update(error.headers)
    if error.status == 401 and wants_json():
        answer.headers.setdefault("WWW-Authenticate", 'Bearer realm="sentinel"')
    answer.headers["Cache-Control"] = "no-store"
    return answer


def scim_error(error: AppError) -> Response:
    """Return the error in SCIM's form (RFC 7644, 3.12), which knows 400 where we have 422."""
    status = 400 if error.status == 422 else error.status
    body: dict[str, object] = {"schemas": [SCIM_ERROR], "status": str(status), "detail": error.detail}
    kind = error.extra.get("scimType", "invalidValue" if error.status == 422 else None)
    if kind is not None:
        body["scimType"] = kind
    if error.fields:
        body["detail"] = "; ".join([error.detail, *(f"{name}: {what}" for name, what in error.fields.items())])
    answer = Response(json.dumps(body), status=status, mimetype="application/scim+json")
    answer.headers.update(error.headers)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="sentinel"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def wants_json() -> bool:
    """Tell whether the present request belongs to the JSON API."""
    return request.path.startswith(JSON_PREFIXES)


def page(error: AppError) -> Response:
    """Return the page of `error`."""
    template = next((name for kind, name in _PAGES.items() if isinstance(error, kind)), "errors/error.html")
    body = render_template(template, error=error, request_id=g.get("request_id"))
    answer = Response(body, status=error.status, mimetype="text/html")
    answer.headers.update(error.headers)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def register_errors(app: Flask) -> None:
    """Answer every error in its one form."""

    def answer(error: AppError) -> Response:
        if request.path.startswith(SCIM_PREFIX):
            return scim_error(error)
        return problem(error) if wants_json() else page(error)

    @app.errorhandler(AppError)
    def _ours(error: AppError) -> Response:
        note_denial(error)
        return answer(error)

    @app.errorhandler(CSRFError)
    def _csrf(_error: CSRFError) -> Response:
        return answer(errors.MalformedRequest("The form is too old or was not sent from this site. Reload the page."))

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        code = error.code or 500
        if 300 <= code < 400:
            return Response(error.get_response().get_data(), code, dict(error.get_headers()))
        mapped = _OF_STATUS.get(code, AppError)(error.description or "" if code < 500 else "")
        mapped.status = code
        if code not in _OF_STATUS and code < 500:
            mapped.code, mapped.title = error.name.lower().replace(" ", "-"), error.name
        if code == 405:
            mapped.headers["Allow"] = ", ".join(getattr(error, "valid_methods", None) or ())
        return answer(mapped)

    @app.errorhandler(OperationalError)
    @app.errorhandler(PoolTimeout)
    def _database(error: Exception) -> Response:
        log.warning("database.unavailable", error=type(error).__name__, request_id=g.get("request_id"))
        headers = {"Retry-After": "2"}
        return answer(errors.Unavailable("The database does not answer. Try again in a moment.", headers=headers))

    @app.errorhandler(Exception)
    def _bug(error: Exception) -> Response:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return _database(error)
        log.exception("request.failed", error=type(error).__name__, request_id=g.get("request_id"))
        return answer(AppError("Something failed on our side. The request id helps us find it."))
