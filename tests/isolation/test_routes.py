"""Every route of the running application: its permission, and what it tells of another tenant."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.settings import settings
from app.db.units import Home, Units
from app.local import assets
from app.services import email_domains, plan_requests
from app.serving import errors
from tests.peers import rows
from tests.peers.directories import Directory, directory_of
from tests.peers.members import stock_people
from tests.peers.programs import Program, issue, make_account, sample, stock
from tests.peers.rows import Shape
from tests.peers.tenants import Made
from tests.peers.visitors import Person

PUBLIC = {
    "api_references.document": "describes the API, the same for everybody",
    "api_references.page": "describes the API, the same for everybody",
    "confirmations.redeem": "does what the token of a mailed link is for, whoever sends it",
    "confirmations.show": "says what the token of a mailed link is for",
    "api_signups.register": "signing up; the same answer for every address",
    "api_signups.register_organization": "signing up; the same answer for every address",
    "api_tokens.jwks": "the public keys of the installation, the same for everybody",
    **dict.fromkeys(
        (
            "api_tokens.login",
            "api_tokens.login_alias",
            "api_tokens.logout",
            "api_tokens.logout_alias",
            "api_tokens.refresh",
            "api_tokens.refresh_alias",
        ),
        "signing in and out, by what the body holds alone",
    ),
    **dict.fromkeys(
        ("acceptances.accept", "acceptances.change", "acceptances.join", "acceptances.show"),
        "an invitation, by the token of a mailed link",
    ),
    "audit_keys.show": "the public key of the installation, the same for everybody",
    "health.health": "whether the process runs",
    "health.metrics": "sums over all tenants; asks for a token outside development",
    "health.ready": "which parts answer",
    "landings.scans": "explains our scans to whoever is scanned",
    "landings.show": "what Sentinel is",
    "login_factors.create": "the second step of signing in, by the token of a sign-in that waits",
    "login_factors.new": "the second step of signing in, by the token of a sign-in that waits",
    **dict.fromkeys(
        (
            "login_passkeys.challenge",
            "login_passkeys.create",
            "login_passkeys.factor_challenge",
            "login_passkeys.finish",
        ),
        "signing in with a passkey, which answers a challenge of this browser's",
    ),
    "logins.create": "signing in",
    "logins.end": "signing out",
    "logins.new": "signing in",
    "mailboxes.index": "the mail of a development installation; elsewhere not found",
    "mailboxes.show": "the mail of a development installation; elsewhere not found",
    **dict.fromkeys(
        (
            "factors.codes",
            "factors.create",
            "factors.new",
            "factors.removal",
            "factors.remove",
            "factors.renew_codes",
            "own_data.delete",
            "own_data.deletion",
            "own_data.download",
            "passkeys.challenge",
            "passkeys.create",
            "passkeys.new",
            "passkeys.removal",
            "passkeys.remove",
            "step_ups.challenge",
            "step_ups.confirm",
            "step_ups.confirm_by_passkey",
            "step_ups.show",
            "profiles.change_email",
            "profiles.change_password",
            "profiles.email",
            "profiles.end_others",
            "profiles.end_session",
            "profiles.keep_email",
            "profiles.name",
            "profiles.password",
            "profiles.rename",
            "profiles.show",
        ),
        "one's own account, by the session alone",
    ),
    "resets.create": "a forgotten password; the same answer for every address",
    "resets.edit": "a forgotten password, by the token of a mailed link",
    "resets.new": "a forgotten password",
    "resets.update": "a forgotten password, by the token of a mailed link",
    "sign_ons.begin": "leads to the platform's own provider, the same for everybody",
    "sign_ons.platform_callback": "coming back from a provider, by the state that this browser began with",
    "sign_ons.callback": "coming back from a provider, by the state that this browser began with",
    "sign_ons.confirm_link": "an account's password, by the link that waits in this browser",
    "sign_ons.create": "leads to the provider of an address's domain",
    "sign_ons.link": "an account's password, by the link that waits in this browser",
    "sign_ons.new": "asks for the address whose provider is meant",
    "sign_ons.signed_out": "back from the provider, the same for everybody",
    "signups.create": "signing up",
    "verifications.create": "confirms an address, by the token of a mailed link and the password",
    "verifications.show": "says what the token of a mailed link is for",
    "signups.new": "signing up",
    "signups.slug": "tells whether a slug is free, as signing up itself does",
    **dict.fromkeys(
        (
            "scim.resource_type",
            "scim.resource_types",
            "scim.schema",
            "scim.schemas",
            "scim.service_provider_config",
        ),
        "describes the SCIM service, the same for everybody",
    ),
    **dict.fromkeys(("scim.bulk", "scim.me", "scim.search_all"), "says that the SCIM service does not do that"),
    "statics.show": "the kit's files, the same for everybody",
    "tenants.index": "lists the tenants of whoever is signed in, by the session alone",
}
KEYED = {
    "api_tenants.current": "tells a key of its own tenant, whatever its scopes",
    "api_tokens.me": "tells whoever holds an access token who they are",
    "api_tokens.me_alias": "tells whoever holds an access token who they are",
    "api_tenants.current_alias": "tells a key of its own tenant, whatever its scopes",
}

# Which table a name in an address means.
TABLES = {
    "account_id": "account.service_accounts",
    "asset_id": "shared.assets",
    "domain_id": "account.email_domains",
    "extra_id": "account.extra_permissions",
    "finding_id": "shared.findings",
    "invitation_id": "account.invitations",
    "key_id": "account.api_keys",
    "request_id": "account.plan_requests",
    "scan_id": "shared.scans",
    "scim_group_id": "account.provisioned_groups",
    "scim_person_id": "account.provisioned_people",
    "scim_token_id": "account.scim_tokens",
    "user_id": "account.memberships",
    "workspace_id": "account.workspaces",
}
# What else may stand in an address: of no tenant, and here of nobody.
OF_NO_TENANT: dict[str, object] = {
    "connection_id": UUID(int=3),
    "mail_id": UUID(int=1),
    "passkey_id": UUID(int=3),
    "purpose": "verification",
    "scim_name": "User",
    "session_id": UUID(int=2),
    "token": "0" * 43,
}
PLACE = re.compile(r"<(?:[^<>]*:)?(\w+)>")
FORM = {"status": "accepted", "tool": "text"}


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """The front end, built."""
    assets.build_assets()


@dataclass(frozen=True)
class Side:
    """A tenant with its owner at a browser, a program with all scopes, its directory, and ids of what it has."""

    made: Made
    person: Person
    program: Program
    directory: Directory
    ids: dict[str, UUID]


def signed_in(app: Flask, address: str, made: Made) -> Person:
    """Return the tenant's owner at a browser."""
    person = Person(app, address).sign_in(made)
    assert person.get(person.at("/keys/new")).status_code == 200
    return person


def side_of(app: Flask, address: str, made: Made, worker_units: Units) -> Side:
    """Return the tenant with all that can enter it."""
    person = signed_in(app, address, made)
    own_id, secret = issue(made)
    key_id, _ = issue(made)  # another than the program's own, which goes on working when this one is revoked
    account_id = make_account(made)
    program = Program(app.test_client(), address, made, own_id, secret)
    with made.unit(Home.ACCOUNT) as unit:
        domain_id = email_domains.add_domain(unit, f"{made.slug}.example").id
        request_id = plan_requests.request_plan(unit, "enterprise").id
        unit.commit()
    directory, provisioned = directory_of(made, app.test_client(), address)
    own = {"key_id": key_id, "account_id": account_id, "domain_id": domain_id, "request_id": request_id}
    ids = {**stock(made, worker_units).ids, **stock_people(made), **provisioned, **own}
    return Side(made, person, program, directory, ids)


@pytest.fixture
def sides(app: Flask, tenants: Callable[[], Made], worker_units: Units) -> tuple[Side, Side]:
    """Two tenants."""
    address = settings().base_url.replace("http://", "https://")
    return side_of(app, address, tenants(), worker_units), side_of(app, address, tenants(), worker_units)


def every_rule(app: Flask) -> list[Rule]:
    """Return every route, those that take a thing away last."""
    return sorted(
        app.url_map.iter_rules(), key=lambda rule: ("DELETE" in (rule.methods or ()), rule.rule, rule.endpoint)
    )


def methods(rule: Rule) -> list[str]:
    """Return the methods of a route that are its own."""
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def with_id(app: Flask) -> list[Rule]:
    """Return the routes whose address names a thing of a tenant."""
    return [rule for rule in every_rule(app) if rule.arguments & TABLES.keys()]


def path_of(rule: Rule, slug: str, ids: dict[str, Any]) -> str:
    """Return a route's path with its places filled in."""
    return PLACE.sub(lambda place: str({"slug": slug, **OF_NO_TENANT, **ids}[place.group(1)]), rule.rule)


def ask(side: Side, rule: Rule, method: str, slug: str, ids: dict[str, Any]) -> TestResponse:
    """Ask a route as the side's person or program, with the ids given."""
    path = path_of(rule, slug, ids)
    if path.startswith("/t/"):
        return side.person.get(path) if method == "GET" else side.person.post(path, dict(FORM))
    if path.startswith("/scim/"):
        return side.directory.ask(method, path.removeprefix("/scim/v2"), side.directory.sample(method, rule.rule))
    view = side.program.client.application.view_functions[rule.endpoint]
    return side.program.ask(method, path, **sample(getattr(view, "operation", None)))


def test_every_route_names_its_permission(app: Flask) -> None:
    """A route has a permission, or it is listed here with a reason; no reason is left over."""
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
