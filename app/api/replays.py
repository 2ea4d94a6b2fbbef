"""Idempotency-Key: a POST that is sent again gets the answer of the first, and nothing is done twice."""

import re
from collections.abc import Callable

from flask import Response, g, request

from app.core.errors import MalformedRequest
from app.db.units import Unit
from app.services import kept_answers

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
# A string of structured fields (RFC 9651) or the bare word that many clients send.
_FORM = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,200})"|([\x21\x23-\x7e]{1,200})')


def key_given() -> str | None:
    """Return the request's Idempotency-Key. Raises MalformedRequest for one that is none or is given twice."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    found = _FORM.fullmatch(given[0].strip()) if len(given) == 1 else None
    if found is None:
        raise MalformedRequest(f"{HEADER} is one string of 1 to 200 printable ASCII characters.")
    return found.group(1) or found.group(2)


def answered_once(unit: Unit, work: Callable[[], Response]) -> Response:
    """Return what `work` answers, or what it answered before to the same key; a success is kept with the work."""
    key = key_given()
    if key is None:
        return work()
    attempt, before = kept_answers.begin(unit, key, route=f"{request.method} {request.path}", body=g.get("sent", b""))
    if before is not None:
        headers = {REPLAYED: "true", **({"Location": before.location} if before.location else {})}
        return Response(before.body, before.status, headers, mimetype="application/json")
    response = work()
    kept_answers.keep(
        unit,
        attempt,
        status=response.status_code,
        location=response.headers.get("Location"),
        body=response.get_data(as_text=True),
    )
    return response
