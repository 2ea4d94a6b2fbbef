"""Fragments that a page asks for again and again: a tag of what they say, and nothing when that has not changed."""

import hashlib
import re

from flask import Response, make_response, render_template, request
from flask_wtf.csrf import generate_csrf

_TIMES = re.compile(r"(<time[^>]*>)[^<]*")


def live(template: str, **context: object) -> Response:
    """Answer a fragment, or 304 (to a POST: 204) where it says what the page already has.

    Relative times and the token against forgery differ with every answer and do not count as a change.
    """
    body = render_template(template, **context)
    said = _TIMES.sub(r"\1", body).replace(generate_csrf(), "")
    response = make_response(body)
    response.set_etag(hashlib.sha256(said.encode()).hexdigest()[:32])
    response.headers["Cache-Control"] = "private, no-cache"
    tag, _weak = response.get_etag()
    if tag is not None and tag in request.if_none_match:
        response.set_data(b"")
        response.status_code = 304 if request.method in ("GET", "HEAD") else 204
    return response
