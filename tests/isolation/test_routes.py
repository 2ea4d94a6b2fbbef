"""Every route of the running application: its permission, and what it tells of another tenant."""

import secrets
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.core.ids import new_id
from app.core.permissions import Permission
from app.serving import errors
from tests.peers import rows
from tests.peers.members import stock_people
from tests.peers.routes import KEYED, OF_NO_TENANT, PUBLIC, TABLES, every_rule, methods, path_of, with_id
from tests.peers.rows import Shape
from tests.peers.sides import FORM, Side, ask
from tests.peers.visitors import Person


def test_every_route_names_its_permission(app: Flask) -> None:
    """A route has a permission, or tests/peers/routes.py says why not; no reason is left over."""
    unnamed = {
        rule.endpoint
        for rule in every_rule(app)
        if getattr(app.view_functions[rule.endpoint], "permission", None) is None
    }
    assert unnamed ^ (PUBLIC.keys() | KEYED.keys()) == set()
    for rule in every_rule(app):
        permission = getattr(app.view_functions[rule.endpoint], "permission", None)
        assert permission is None or permission in set(Permission), rule.endpoint
        if rule.rule.startswith("/t/"):
            assert permission is not None, f"{rule.endpoint} is a tenant's page without a permission"
    for endpoint in KEYED:
        assert app.view_functions[endpoint].keyed


def test_every_address_is_understood(app: Flask) -> None:
    """Each name in an address is a tenant's slug, a known kind of thing, or a file of the kit."""
    names = {name for rule in every_rule(app) for name in rule.arguments}
    assert names == {"slug", "name", *TABLES, *OF_NO_TENANT}
    assert {rule.endpoint for rule in every_rule(app) if "name" in rule.arguments} == {"statics.show"}


def test_another_tenants_things_are_not_found(
    app: Flask, sides: tuple[Side, Side], every_shape: list[Shape], outside: psycopg.Connection[Any]
) -> None:
    """Every route answers 404 to the real id of another tenant's thing, as to one that is nowhere; no row changes."""
    a, b = sides
    before = {shape.name: rows.state(outside, shape, a.made.id) for shape in every_shape}
    wrong, asked = [], 0
    for rule in with_id(app):
        named = {name: a.ids[name] for name in rule.arguments if name in TABLES}
        nowhere = {name: new_id() for name in named}
        for method in methods(rule):
            theirs = ask(b, rule, method, b.made.slug, named)
            nothing = ask(b, rule, method, b.made.slug, nowhere)
            asked += 1
            if (theirs.status_code, nothing.status_code) != (404, 404):
                wrong.append((rule.endpoint, method, theirs.status_code, nothing.status_code))
    assert wrong == []
    assert asked >= 10
    assert {shape.name: rows.state(outside, shape, a.made.id) for shape in every_shape} == before


def test_ones_own_things_are_found(app: Flask, sides: tuple[Side, Side]) -> None:
    """The same routes with one's own ids answer: a 404 above is not an address that leads nowhere."""
    a, _b = sides
    wrong = []
    for rule in with_id(app):
        for method in methods(rule):
            answer = ask(a, rule, method, a.made.slug, {n: a.ids[n] for n in rule.arguments if n in TABLES})
            if method == "DELETE" and "user_id" in rule.arguments:
                a.ids.update(stock_people(a.made))  # the one before is gone
            if answer.status_code in (400, 401, 403, 404) or answer.status_code >= 500:
                wrong.append((rule.endpoint, method, answer.status_code))
    assert wrong == []


MALFORMED = ("1", "x", "..", "%00", "' OR 1=1", "0" * 33, f"{new_id()}x", "\N{SNOWMAN}")


def test_a_malformed_id_is_not_found(app: Flask, sides: tuple[Side, Side]) -> None:
    """An id that cannot be one is answered 404, not an error of the database."""
    _a, b = sides
    wrong = []
    for malformed in MALFORMED:
        for rule in with_id(app):
            for method in methods(rule):
                named = {name: malformed for name in rule.arguments if name in TABLES}
                answer = ask(b, rule, method, b.made.slug, named)
                if answer.status_code not in (404, 405, 308):  # `..` leads to another address
                    wrong.append((rule.endpoint, method, malformed, answer.status_code))
    assert wrong == []


def test_a_tenant_one_is_no_member_of_is_not_found(app: Flask, sides: tuple[Side, Side]) -> None:
    """Every page of another tenant answers 404, the same as a tenant that does not exist."""
    a, b = sides
    for rule in (rule for rule in every_rule(app) if "slug" in rule.arguments):
        for method in methods(rule):
            named = {name: a.ids[name] for name in rule.arguments if name in TABLES}
            theirs = ask(b, rule, method, a.made.slug, named)
            nobodys = ask(b, rule, method, f"t-{secrets.token_hex(5)}", named)
            assert (theirs.status_code, nobodys.status_code) == (404, 404), (rule.endpoint, method)
            assert a.made.slug not in theirs.text.replace(f"/t/{a.made.slug}", "")


def test_signed_out_one_is_asked_to_sign_in(app: Flask, sides: tuple[Side, Side]) -> None:
    """Signed out, every page leads to the sign-in, whether the tenant exists or not; nothing else is told."""
    a, _b = sides
    stranger = replace(a, person=Person(app, a.person.base_url))
    stranger.person.get("/login")
    for rule in (rule for rule in every_rule(app) if "slug" in rule.arguments):
        for method in methods(rule):
            answers = []
            for slug in (a.made.slug, "t-" + "0" * (len(a.made.slug) - 2)):
                answer = ask(stranger, rule, method, slug, {n: a.ids[n] for n in rule.arguments if n in TABLES})
                answers.append((answer.status_code, answer.location.replace(slug, ""), answer.text.replace(slug, "")))
            assert answers[0] == answers[1], (rule.endpoint, method)
            assert answers[0][0] == 303 and answers[0][1].startswith("/login"), (rule.endpoint, method, answers[0])


def altered(secret: str) -> str:
    """The secret with another last character."""
    return secret[:-1] + ("x" if secret[-1] != "x" else "y")


def test_without_a_key_nothing_is_told(app: Flask, sides: tuple[Side, Side]) -> None:
    """Every resource with a key answers 401 without one, with a wrong one, and with a browser's cookie alone."""
    a, _b = sides
    for rule in every_rule(app):
        if not getattr(app.view_functions[rule.endpoint], "keyed", False):
            continue
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<{name}>", str(a.ids[name]))
        for method in methods(rule):
            for headers in ({}, {"X-API-Key": "sk_wrong"}, {"X-API-Key": altered(a.program.secret)}):
                assert a.program.ask(method, path, headers=headers).status_code == 401, (rule.endpoint, headers)
            cookie_only = a.person.client.open(path, method=method, base_url=a.person.base_url)
            assert cookie_only.status_code == 401, rule.endpoint


def test_without_a_scim_token_nothing_is_told(app: Flask, sides: tuple[Side, Side]) -> None:
    """Every SCIM resource answers 401 without a token, with a wrong one, an API key, and a browser's cookie alone."""
    a, _b = sides
    asked = 0
    for rule in every_rule(app):
        if not getattr(app.view_functions[rule.endpoint], "scim", False) or rule.endpoint in PUBLIC:
            continue
        path = path_of(rule, a.made.slug, a.ids)
        for method in methods(rule):
            asked += 1
            for secret in ("", altered(a.directory.secret), a.program.secret):
                headers = {"Authorization": f"Bearer {secret}"} if secret else {}
                answer = a.directory.ask(method, path.removeprefix("/scim/v2"), headers=headers)
                assert answer.status_code == 401, (rule.endpoint, method)
            cookie_only = a.person.client.open(path, method=method, base_url=a.person.base_url)
            assert cookie_only.status_code == 401, rule.endpoint
    assert asked >= 12


def test_a_form_without_its_token_is_refused(app: Flask, sides: tuple[Side, Side]) -> None:
    """Every POST of a page without the CSRF token, or with another session's, answers 400 and changes nothing."""
    a, b = sides
    for rule in every_rule(app):
        view = app.view_functions[rule.endpoint]
        if "POST" not in methods(rule) or getattr(view, "keyed", False) or getattr(view, "scim", False):
            continue
        path = path_of(rule, a.made.slug, a.ids)
        for token in ("", b.person.token):
            answer = a.person.post(path, {"csrf_token": token, **FORM})
            refused = 415 if hasattr(view, "operation") else 400  # JSON takes no form at all
            assert answer.status_code == refused, (rule.endpoint, token)


def fingerprints(outside: psycopg.Connection[Any], without: frozenset[str]) -> dict[str, tuple[int, str]]:
    """Return count and digest of every table of the database, but for those named."""
    names = outside.execute(
        "SELECT schemaname || '.' || tablename FROM pg_tables "
        "WHERE schemaname IN ('control', 'account', 'shared', 'auth')"
    ).fetchall()
    found = {
        name: outside.execute(
            f"SELECT count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {name} t".encode()
        ).fetchone()
        for (name,) in names
        if name not in without
    }
    outside.rollback()
    return found


# What each request with a key or a token leaves: the row of a call, the moment of the last use.
NOTED = frozenset(
    {
        "shared.api_calls",
        "shared.usage_minutes",
        "shared.usage_days",
        "shared.usage_flushes",
        "auth.key_uses",
        "auth.key_scope_uses",
        "auth.usage_books",
        "account.scim_tokens",
    }
)


def test_a_get_changes_nothing(
    app: Flask, sides: tuple[Side, Side], outside: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No GET writes a row, but for what each request with a key or a token leaves, and what is denied."""
    monkeypatch.setattr(errors, "note_denial", lambda _error: None)
    a, _b = sides
    before = fingerprints(outside, NOTED)
    asked = 0
    for rule in every_rule(app):
        if "GET" not in methods(rule) or "name" in rule.arguments:
            continue
        answer = ask(a, rule, "GET", a.made.slug, {name: a.ids[name] for name in rule.arguments & TABLES.keys()})
        assert answer.status_code < 500 or rule.endpoint in ("health.ready", "scim.me"), rule.endpoint
        asked += 1
    assert asked >= 20
    assert fingerprints(outside, NOTED) == before
