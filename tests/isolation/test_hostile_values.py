"""What no program and no browser sends by itself, on every route of the running application: never a 5xx."""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.peers.checkouts import ROOT
from tests.peers.routes import OF_NO_TENANT, PLACE, every_rule, methods
from tests.peers.routes import path_of as page_of
from tests.peers.sides import Side

# 501 is how SCIM says that it does not offer a resource (RFC 7644, 3.11).
FAULTS = frozenset(range(500, 600)) - {501}
FIELD = re.compile(r"^    (\w+) = \w+Field\(", re.M)
GIVEN = re.compile(r"(?:args|form)\.(?:get|getlist)\(\"(\w+)\"")
NAMED = re.compile(r"\bname=\"(\w+)\"")
# As they stand in an address or a form's body: already encoded.
TEXTS = {
    "NUL": "a%00b",
    "a lone surrogate": "%ED%A0%80",
    "no UTF-8": "%ff%fe",
    "a huge number": "9" * 400,
    "a number past 64 bits": "9223372036854775808",
    "a negative number": "-1",
    "not a number": "NaN",
    "the end of time": "9999-12-31",
    "before all days": "0000-00-00",
    "line breaks": "a%0D%0Ab",
    "the other way round": "%E2%80%AE%E2%80%8B",
    "a million": "a" * 100_000,
    "markup": "%3Cscript%3E%27%22%3B--",
    "nothing": "",
}
BODIES = {
    "NUL": b'{"%s": "a\\u0000b"}',
    "a lone surrogate": b'{"%s": "\\ud800"}',
    "a raw surrogate": b'{"%s": "\xed\xa0\x80"}',
    "no UTF-8": b'{"%s": "\xff\xfe"}',
    "a huge number": b'{"%s": ' + b"9" * 5000 + b"}",
    "past a float": b'{"%s": 1e999}',
    "not a number": b'{"%s": NaN}',
    "deep": b'{"%s": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"%s":' * 5_000 + b"1" + b"}" * 5_000,
    "null": b'{"%s": null}',
    "a list": b'["%s"]',
    "a number": b"1",
    "twice": b'{"%s": "a", "%s": "b"}',
    "cut off": b'{"%s": "',
    "nothing": b"",
    "a mark": b'\xef\xbb\xbf{"%s": "a"}',
    "a key of NUL": b'{"%s\\u0000": "a"}',
}
JSON = ("application/json", "application/json; charset=utf-16", "application/merge-patch+json")
TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "x")
HEADERS = ("Authorization", "X-API-Key", "Idempotency-Key", "If-Match", "If-None-Match", "User-Agent")
VALUES = ("\xff\xfe", "Bearer \xe9.\xe9.\xe9", '"', "W/", "a" * 5000, "," * 500, "Basic ===", "*")
Items = TypeVar("Items")
# In `make test` every route gets each fifth value, so that neighbours cover all of them; in `make prove` every one.
FIFTH = pytest.mark.parametrize("step", [5, pytest.param(1, marks=[pytest.mark.prove])], ids=["a-fifth", "all"])


def each(values: Iterable[Items], step: int, number: int) -> list[Items]:
    """Return each `step`-th value, the first by the number of the route."""
    return list(values)[number % step :: step]


def names() -> list[str]:
    """Return every name that a form or an address of the application's pages takes."""
    code = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "app/web").rglob("*.py")))
    pages = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "templates").rglob("*.html")))
    found = {*FIELD.findall(code), *GIVEN.findall(code), *NAMED.findall(pages)} - {"csrf_token"}
    assert {"email", "password", "after", "networks", "day"} <= found
    return sorted(found)


def pages(app: Flask, method: str) -> Iterator[Rule]:
    """Yield the routes of pages with this method; those that end the session come last."""
    known = [rule for rule in every_rule(app) if method in methods(rule)]
    known = [rule for rule in known if not hasattr(app.view_functions[rule.endpoint], "operation")]
    yield from sorted(known, key=lambda rule: rule.endpoint == "logins.end")


def signed_in(side: Side) -> Side:
    """Sign in again where the last request ended the session."""
    if side.person.get("/tenants").status_code == 303:
        side.person.get("/login")
        side.person.post("/login", {"email": side.made.email, "password": side.made.password})
    return side


def sent(side: Side, path: str, body: str, kind: str = "application/x-www-form-urlencoded") -> TestResponse:
    """Send a body as it stands, with the form's token."""
    token = f"csrf_token={quote(side.person.token)}&" if "urlencoded" in kind else ""
    return side.person.client.post(
        path,
        base_url=side.person.base_url,
        data=(token + body).encode(),
        content_type=kind,
        headers={"Referer": f"{side.person.base_url}/", "X-CSRFToken": side.person.token},
    )


@FIFTH
def test_no_form_fails_on_what_is_typed(app: Flask, sides: tuple[Side, Side], step: int) -> None:
    """Every form of a page answers below 500 to NUL, surrogates, no UTF-8, huge numbers and texts in all fields."""
    side, wrong, asked = sides[0], [], 0
    fields = names()
    for number, rule in enumerate(pages(app, "POST")):
        for title, text in each(TEXTS.items(), step, number):
            path = page_of(rule, side.made.slug, signed_in(side).ids)
            answer = sent(side, path, "&".join(f"{name}={text}" for name in fields))
            asked += 1
            if answer.status_code in FAULTS:
                wrong.append((rule.endpoint, title, answer.status_code))
    assert wrong == []
    assert asked >= 1000 / step


def test_no_form_fails_on_another_type(app: Flask, sides: tuple[Side, Side]) -> None:
    """Every form answers below 500 to a body of another type, and to JSON."""
    side = sides[0]
    for rule in pages(app, "POST"):
        path = page_of(rule, side.made.slug, signed_in(side).ids)
        for kind in (*TYPES, "application/json", "multipart/form-data"):
            assert sent(side, path, '--x\r\n{"a": [', kind).status_code not in FAULTS, (rule.endpoint, kind)


@FIFTH
def test_no_page_fails_on_its_address(app: Flask, sides: tuple[Side, Side], step: int) -> None:
    """Every page answers below 500 to the same values as parameters and as parts of its address."""
    side, wrong = sides[0], []
    query = names()
    for number, rule in enumerate(pages(app, "GET")):
        if rule.endpoint == "health.ready":  # says 503 while a part is away, as here
            continue
        path = page_of(rule, side.made.slug, {"name": "x", **side.ids})
        for title, text in each(TEXTS.items(), step, number):
            parts = "&".join(f"{name}={text[:300]}" for name in query)
            odd = PLACE.sub(lambda _place, text=text: text[:300] or "x", rule.rule)  # the slug too
            for asked in (f"{path}?{parts}", odd):
                answer = side.person.client.get(asked, base_url=side.person.base_url)
                if answer.status_code in FAULTS:
                    wrong.append((rule.endpoint, title, answer.status_code))
    assert wrong == []


def test_no_route_fails_on_another_method(app: Flask, sides: tuple[Side, Side]) -> None:
    """Every route answers a method that is not its own below 500, mostly with 405 and those that are."""
    side = sides[0]
    for rule in every_rule(app):
        path = PLACE.sub(lambda place: str({**OF_NO_TENANT, **side.ids}.get(place.group(1), "x")), rule.rule)
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - (rule.methods or set()):
            answer = side.person.client.open(path, method=method, base_url=side.person.base_url)
            assert answer.status_code not in FAULTS, (rule.endpoint, method)
            assert answer.status_code != 405 or answer.headers["Allow"], (rule.endpoint, method)


def resources(app: Flask) -> Iterator[tuple[Rule, Any]]:
    """Yield the routes of the JSON API with what they promise."""
    for rule in every_rule(app):
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if operation is not None:
            yield rule, operation


def path_of(rule: Rule, ids: dict[str, Any]) -> str:
    """Return a route's address with its places filled in; what nobody has is nobody's."""
    return PLACE.sub(lambda place: str({**OF_NO_TENANT, **ids}.get(place.group(1), "0")), rule.rule)


@FIFTH
def test_no_resource_fails_on_its_body(app: Flask, sides: tuple[Side, Side], step: int) -> None:
    """Every route that takes JSON refuses a body that is none, or that holds what nothing keeps, below 500."""
    side, wrong, asked = sides[0], [], 0
    for number, (rule, operation) in enumerate(resources(app)):
        if operation.body is None:
            continue
        for title, body in each(BODIES.items(), step, number):
            for place, name in enumerate(operation.body.model_fields):
                data = body.replace(b"%s", name.encode())
                for kind in JSON if place == 0 else JSON[:1]:
                    answer = side.program.ask(methods(rule)[0], path_of(rule, side.ids), data=data, content_type=kind)
                    asked += 1
                    if answer.status_code in FAULTS or answer.mimetype == "text/html":
                        wrong.append((rule.rule, title, name, answer.status_code))
        for kind in TYPES:
            answer = side.program.ask(methods(rule)[0], path_of(rule, side.ids), data=b"{}", content_type=kind)
            assert answer.status_code in (403, 404, 415), (rule.rule, kind, answer.status_code)
    assert wrong == []
    assert asked >= 500 / step


@FIFTH
def test_no_resource_fails_on_its_address(app: Flask, sides: tuple[Side, Side], step: int) -> None:
    """Every route of the API answers below 500 to hostile parameters, ids and headers."""
    side, wrong = sides[0], []
    for number, (rule, operation) in enumerate(resources(app)):
        known = [*(operation.query.model_fields if operation.query else ()), "nobody_knows"]
        for title, text in each(TEXTS.items(), step, number):
            odd = PLACE.sub(lambda _place, text=text: text[:300] or "x", rule.rule)
            queries = [f"{path_of(rule, side.ids)}?{name}={text[:2000]}" for name in known]
            for path in (odd, *queries):
                answer = side.program.ask(methods(rule)[0], path, json={})
                if answer.status_code in FAULTS:
                    wrong.append((rule.rule, title, path[:100], answer.status_code))
        for name, value in each(itertools.product(HEADERS, VALUES), step, number):
            headers = {"X-API-Key": side.program.secret, name: value}
            answer = side.program.ask(methods(rule)[0], path_of(rule, side.ids), headers=headers, json={})
            if answer.status_code in FAULTS:
                wrong.append((rule.rule, name, value[:20], answer.status_code))
    assert wrong == []


@pytest.mark.parametrize(
    "path", ["/\0", "/%00", "/%ff", "/" + "a" * 8000, "//", "/t/%00/scans", "/api/v1/%00", "/static/%00"]
)
def test_no_other_address_fails(app: Flask, sides: tuple[Side, Side], path: str) -> None:
    """An address that nothing stands at is answered below 500 with each method."""
    side = sides[0]
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "BREW"):
        answer = side.person.client.open(path, method=method, base_url=side.person.base_url)
        assert answer.status_code not in FAULTS, method
