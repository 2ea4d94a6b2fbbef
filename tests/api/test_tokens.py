"""Signing in, refreshing and signing out by JSON, and what an access token opens."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import KeySet
from joserfc.jwt import decode

from app.db.units import Home, Units
from app.services import accounts, audit, memberships, profiles, usage
from app.services.accounts import SignIn
from tests.api.test_routing import assert_problem
from tests.peers.apps import add_app
from tests.peers.bearers import Bearer, add_owner, change_directory, confirm_address
from tests.peers.programs import Program
from tests.peers.tenants import ORIGIN, Made, make_tenant
from tests.plugins.servers import Database

ME = "/api/v1/auth/me"
SCANS = "/api/v1/scans"


@pytest.fixture
def bearer(
    client: FlaskClient, base_url: str, tenants: Callable[[], Made], postgres_server: Database
) -> Callable[..., Bearer]:
    """Makes programs that are signed in, each of a tenant of its own unless one is given."""

    def make(of: Made | None = None, *, signed_in: bool = True) -> Bearer:
        made = of or tenants()
        confirm_address(postgres_server, made.email)
        found = Bearer(client, base_url, made)
        assert not signed_in or found.login(tenant=made.slug).status_code == 200
        return found

    return make


def test_a_pair_is_told_once_and_opens_the_tenant(bearer: Callable[..., Bearer]) -> None:
    """Signing in answers 15 minutes of access and 7 days of refresh; the token opens what the person may do."""
    caller = bearer(signed_in=False)
    answer = caller.login()
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    told = answer.json or {}
    assert (told["token_type"], told["expires_in"], told["refresh_expires_in"]) == ("Bearer", 900, 604_800)
    assert told["tenant"] == {"id": str(caller.made.id), "slug": caller.made.slug, "name": "Acme"}
    assert caller.get(SCANS).json == {"items": [], "next_cursor": None}
    added = caller.post("/api/v1/assets", json={"name": "Letter", "text": "Dear Anna"})
    assert added.status_code == 201
    current = caller.get("/api/v1/tenants/current").json or {}
    assert (current["slug"], current["key"]) == (caller.made.slug, None)


def test_who_one_is(bearer: Callable[..., Bearer], program: Callable[..., Program]) -> None:
    """`me` names person, tenant, role and permissions; its other address says the same, and a key is nobody."""
    caller = bearer()
    told = caller.get(ME).json or {}
    assert (told["email"], told["role"], told["verified"]) == (caller.made.email, "owner", True)
    assert told["tenant"]["slug"] == caller.made.slug and told["methods"] == ["password"]
    assert set(told["permissions"]) == {str(one) for one in caller.made.actor.permissions}
    assert caller.get("/auth/me").json == told
    assert_problem(program().get(ME), 403, "permission-denied")


def test_the_token_is_what_the_published_keys_say(bearer: Callable[..., Bearer]) -> None:
    """A token is an RFC 9068 access token that anybody can check by the published keys, which show no private part."""
    caller = bearer()
    answer = caller.get("/.well-known/jwks.json", headers={})
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("application/jwk-set+json", "public, max-age=300")
    keys = (answer.json or {})["keys"]
    assert all({*key} == {"kty", "crv", "x", "y", "kid", "use", "alg"} for key in keys)
    token = decode(caller.access, KeySet.import_key_set({"keys": keys}), algorithms=["ES256"])
    base = caller.address.replace("https://", "http://")
    assert token.header["typ"] == "at+jwt"
    assert (token.claims["iss"], token.claims["aud"]) == (base, f"{base}/api")
    assert token.claims["exp"] - token.claims["iat"] == 900
    assert token.claims["tenant"] == str(caller.made.id)
    assert {"sub", "sid", "jti", "client_id"} <= token.claims.keys()


def test_a_wrong_password_is_counted_like_the_pages(bearer: Callable[..., Bearer]) -> None:
    """Unknown and wrong are one answer; the fifth wrong one locks page and JSON alike."""
    caller = bearer(signed_in=False)
    unknown = assert_problem(caller.login(email="nobody@example.com"), 401, "unauthenticated")
    wrong = assert_problem(caller.login(password="wrong"), 401, "unauthenticated")
    assert unknown["detail"] == wrong["detail"]
    for _ in range(4):
        caller.login(password="wrong")
    assert_problem(caller.login(), 429, "too-many-requests")


def test_an_unverified_address_gets_no_tokens(client: FlaskClient, base_url: str, units: Units) -> None:
    """The right password of an address that nobody has confirmed is answered like a wrong one."""
    assert_problem(Bearer(client, base_url, make_tenant(units, verified=False)).login(), 401, "unauthenticated")


def test_several_tenants_want_one_named(
    bearer: Callable[..., Bearer], tenants: Callable[[], Made], postgres_server: Database
) -> None:
    """Who belongs to several tenants and names none is told which there are; another's is none of them."""
    caller, other = bearer(signed_in=False), tenants()
    change_directory(
        postgres_server,
        "INSERT INTO account.memberships (tenant_id, id, user_id, email, name, role, created_at) "
        "SELECT %s, gen_random_uuid(), id, email, name, 'viewer', now() FROM auth.users WHERE email = %s",
        other.id,
        caller.made.email,
    )
    told = assert_problem(caller.login(), 409, "tenant-not-chosen")
    assert {entry["slug"] for entry in told["tenants"]} == {caller.made.slug, other.slug}
    assert caller.login(tenant=other.slug).status_code == 200
    assert (caller.get(ME).json or {})["role"] == "viewer"
    assert_problem(caller.post("/api/v1/assets", json={"name": "x", "text": "y"}), 403, "permission-denied")
    for slug in (tenants().slug, "nobody-has-this"):
        assert_problem(caller.login(tenant=slug), 422, "invalid")


def test_a_refresh_token_is_used_once_and_its_reuse_ends_the_family(bearer: Callable[..., Bearer]) -> None:
    """Refreshing answers another pair; showing the spent token again ends both, and the account says so."""
    caller = bearer()
    first, access = caller.refresh, caller.access
    assert caller.renew().status_code == 200
    assert caller.refresh != first and caller.access != access
    assert caller.get(SCANS).status_code == 200
    assert_problem(caller.renew(first), 401, "unauthenticated")
    assert_problem(caller.get(SCANS), 401, "unauthenticated")
    assert_problem(caller.renew(), 401, "unauthenticated")
    with caller.made.units.identify() as door:
        signed_in = accounts.sign_in(door, caller.made.email, caller.made.password, origin=ORIGIN)
        assert isinstance(signed_in, SignIn)
        assert [event.action for event in profiles.events_of(door, signed_in.token)] == ["token.reuse"]


def test_of_two_refreshes_at_once_one_is_the_reuse(bearer: Callable[..., Bearer], app: Flask) -> None:
    """Two holders of one refresh token at the same moment: one pair at most, and the family has ended."""
    caller = bearer()
    twins = [replace(caller, client=app.test_client()) for _ in range(2)]
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda one=one: statuses.append(one.renew().status_code)) for one in twins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 401]
    assert [one.get(SCANS).status_code for one in twins] == [401, 401]


def test_unknown_and_expired_refresh_tokens_are_401(bearer: Callable[..., Bearer], postgres_server: Database) -> None:
    """A refresh token that was never told, is malformed or is over opens nothing."""
    caller = bearer()
    for token in ("nonsense", caller.refresh[:-1] + ("x" if caller.refresh[-1] != "x" else "y"), "a" * 200):
        assert_problem(caller.renew(token), 401, "unauthenticated")
    change_directory(
        postgres_server,
        "UPDATE auth.refresh_tokens SET expires_at = now() WHERE session_id IN "
        "(SELECT s.id FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id WHERE u.email = %s)",
        caller.made.email,
    )
    assert_problem(caller.renew(), 401, "unauthenticated")


def test_signing_out_ends_the_family(bearer: Callable[..., Bearer]) -> None:
    """After signing out neither token opens anything; an unknown token is answered alike."""
    caller = bearer()
    for token in (caller.refresh, "nonsense", caller.refresh):
        answer = caller.post("/api/v1/auth/logout", json={"refresh_token": token}, headers={})
        assert (answer.status_code, answer.json) == (200, {"ended": True})
    assert_problem(caller.get(SCANS), 401, "unauthenticated")
    assert_problem(caller.renew(), 401, "unauthenticated")


def test_my_account_lists_and_ends_it(bearer: Callable[..., Bearer]) -> None:
    """A family is a session of the account, named as a program's, and ended there from the next request on."""
    caller = bearer()
    with caller.made.units.identify() as door:
        signed_in = accounts.sign_in(door, caller.made.email, caller.made.password, origin=ORIGIN)
        assert isinstance(signed_in, SignIn)
        programs = profiles.programs_of(door, signed_in.token)
        assert list(programs.values()) == ["Acme"]
        session = next(iter(programs))
        assert session in {one.id for one in profiles.sessions_of(door, signed_in.token)}
        profiles.end_session(door, signed_in.token, session, origin=ORIGIN)
        door.commit()
    assert_problem(caller.get(SCANS), 401, "unauthenticated")
    assert_problem(caller.renew(), 401, "unauthenticated")


def test_a_new_password_ends_it(bearer: Callable[..., Bearer]) -> None:
    """A change of password ends access and refresh from the next request on."""
    caller = bearer()
    with caller.made.units.identify() as door:
        signed_in = accounts.sign_in(door, caller.made.email, caller.made.password, origin=ORIGIN)
        assert isinstance(signed_in, SignIn)
        new = "another sentence nobody guesses"
        profiles.change_password(door, signed_in.token, current=caller.made.password, new=new, origin=ORIGIN)
        door.commit()
    assert_problem(caller.get(SCANS), 401, "unauthenticated")
    assert_problem(caller.renew(), 401, "unauthenticated")


def test_leaving_the_tenant_ends_it(bearer: Callable[..., Bearer], postgres_server: Database) -> None:
    """Whoever is no longer a member is refused at the next request and at the next refresh."""
    caller = bearer()
    add_owner(postgres_server, caller.made)
    with caller.made.unit(Home.ACCOUNT) as unit:
        assert caller.made.actor.id is not None
        memberships.end_membership(unit, caller.made.actor.id, reason="left")
        unit.commit()
    assert_problem(caller.get(SCANS), 401, "unauthenticated")
    assert_problem(caller.renew(), 401, "unauthenticated")


def lower(database: Database, made: Made, role: str) -> None:
    """Give the tenant's first owner another role."""
    add_owner(database, made)
    statement = "UPDATE account.memberships SET role = %s WHERE tenant_id = %s AND user_id = %s"
    change_directory(database, statement, role, made.id, made.actor.id)


def test_a_lower_role_holds_from_the_next_request(bearer: Callable[..., Bearer], postgres_server: Database) -> None:
    """What a token opens is what its person may do now, not when it was signed."""
    caller = bearer()
    lower(postgres_server, caller.made, "viewer")
    assert caller.get(SCANS).status_code == 200
    assert_problem(caller.post("/api/v1/process", json={"user_input": "Hello"}), 403, "permission-denied")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE control.tenants SET status = 'suspended', status_reason = 'Unpaid.' WHERE id = %s", "tenant-closed"),
        ("INSERT INTO control.policies (tenant_id, mfa_required) VALUES (%s, true)", "factor-required"),
        ("INSERT INTO control.policies (tenant_id, sso_required) VALUES (%s, true)", "factor-required"),
    ],
)
def test_suspension_and_policies_hold_for_tokens(
    bearer: Callable[..., Bearer], postgres_server: Database, change: str, code: str
) -> None:
    """What a tenant asks of its people holds for a token in use, for its refresh, and for signing in."""
    caller = bearer()
    change_directory(postgres_server, change, caller.made.id)
    assert_problem(caller.get(SCANS), 403, code)
    assert_problem(caller.renew(), 403, code)
    assert_problem(caller.login(), 403, code)


def test_enforced_sso_refuses_a_password(bearer: Callable[..., Bearer], postgres_server: Database) -> None:
    """Where a tenant lets its people in through its own provider alone, a password gets a member no token."""
    caller = bearer()
    lower(postgres_server, caller.made, "admin")
    change_directory(
        postgres_server, "INSERT INTO control.policies (tenant_id, sso_required) VALUES (%s, true)", caller.made.id
    )
    for answer in (caller.get(SCANS), caller.renew(), caller.login()):
        assert_problem(answer, 403, "sso-required")


def test_a_refused_refresh_is_not_spent(bearer: Callable[..., Bearer], postgres_server: Database) -> None:
    """A refresh while the tenant is closed keeps the token: it works once the tenant is open again."""
    caller = bearer()
    for status, expected in (("suspended", 403), ("active", 200)):
        change_directory(
            postgres_server, "UPDATE control.tenants SET status = %s WHERE id = %s", status, caller.made.id
        )
        assert caller.renew().status_code == expected


def test_a_call_by_token_is_the_persons(bearer: Callable[..., Bearer]) -> None:
    """Calls and changes by a token stand under the person's name, in usage and in the audit log."""
    caller = bearer()
    caller.post("/api/v1/assets", json={"name": "Letter", "text": "Dear Anna"})
    with caller.made.unit() as unit:
        assert usage.list_calls(unit).rows[0].key_name == caller.made.email
        event = audit.list_events(unit).rows[0]
        assert (event.action, event.actor_kind, event.actor_label) == ("asset.add", "user", caller.made.email)


def test_a_token_beside_a_key_is_400(bearer: Callable[..., Bearer], program: Callable[..., Program]) -> None:
    """A request with a key and a token is refused, whoever they belong to."""
    caller, other = bearer(), program()
    headers = {"X-API-Key": other.secret, "Authorization": f"Bearer {caller.access}"}
    assert_problem(caller.get(SCANS, headers=headers), 400, "malformed-request")


def test_a_second_factor_is_asked_for_and_shown(bearer: Callable[..., Bearer]) -> None:
    """Without a code 403 names what would do; a wrong one is 422 and counted; the right one gives a strong session."""
    caller = bearer(signed_in=False)
    app, codes = add_app(caller.made.units, caller.made)
    missing = caller.login()
    assert_problem(missing, 403, "factor-required")
    assert (missing.json or {})["factors"] == ["totp", "recovery"]
    assert_problem(caller.login(code="000000"), 422, "invalid")
    assert caller.login(code=app.code(datetime.now(UTC))).status_code == 200
    assert (caller.get(ME).json or {})["methods"] == ["password", "totp"]
    for _ in range(5):
        caller.login(code="000000")
    assert_problem(caller.login(code=codes[0]), 429, "too-many-requests")
