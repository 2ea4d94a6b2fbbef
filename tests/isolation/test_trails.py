"""Whatever changes something is on record: every route with an unsafe method is driven, and its event looked for."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask, request

from app.core.settings import settings
from app.db.units import Home, Units
from app.services import scim_tokens
from tests.peers.changes import CHANGES
from tests.peers.directories import directory_of
from tests.peers.members import user_of
from tests.peers.openid import OpenIdPeer, openid_peer
from tests.peers.programs import Program, issue, make_account, stock
from tests.peers.routes import methods
from tests.peers.stages import SOMEBODY_NEW, Event, Stage, mark
from tests.peers.tenants import make_tenant
from tests.peers.visitors import Person

# What is asked for by an unsafe method and changes nothing that lasts, or is on record by what follows.
UNRECORDED = {
    "acceptances.change": "signs out: ends the own session, whose beginning is on record",
    "api_guards.process": "judges a text; its call is a row of its own",
    "api_guards.process_alias": "judges a text; its call is a row of its own",
    "api_proofs.check": "has the worker look; what it finds is on record",
    "api_tokens.refresh": "goes on with a session whose beginning is on record",
    "api_tokens.refresh_alias": "goes on with a session whose beginning is on record",
    "assets.check": "has the worker look; what it finds is on record",
    "connections.try_out": "leads to the provider; what comes back is on record",
    "email_domains.check": "has the worker look; what it finds is on record",
    "guards.judge": "judges a text",
    "login_factors.create": "signs in: on record as session.enter in the tenant that is entered",
    "login_passkeys.challenge": "asks for a challenge, which is gone in minutes",
    "login_passkeys.create": "signs in: on record as session.enter in the tenant that is entered",
    "login_passkeys.factor_challenge": "asks for a challenge, which is gone in minutes",
    "login_passkeys.finish": "signs in: on record as session.enter in the tenant that is entered",
    "mailed_links.create": "asks for a mail",
    "logins.create": "signs in: on record as session.enter in the tenant that is entered",
    "logins.end": "signs out: ends the own session, whose beginning is on record",
    "passkeys.challenge": "asks for a challenge, which is gone in minutes",
    "provider_step_ups.begin": "leads to a provider",
    "resets.create": "asks for a mail, alike for everybody",
    "scim.bulk": "says that the service does not do that",
    "scim.me": "says that the service does not do that",
    "scim.search_all": "says that the service does not do that",
    "sign_ons.begin": "leads to a provider",
    "sign_ons.create": "leads to a provider",
    "step_ups.challenge": "asks for a challenge, which is gone in minutes",
    "step_ups.confirm": "proves anew who one is; the session goes on",
    "step_ups.confirm_by_passkey": "proves anew who one is; the session goes on",
}
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def peer() -> Iterator[OpenIdPeer]:
    """A provider of the tenant's."""
    with openid_peer() as made:
        yield made


@pytest.fixture
def variables(variables: dict[str, str], peer: OpenIdPeer) -> dict[str, str]:
    """The settings, with a provider on loopback and a demonstration target."""
    return {**variables, "OUTBOUND_ALLOWED": peer.address, "DEMONSTRATION_TARGETS": "127.0.0.1:8099"}


@pytest.fixture
def stage(app: Flask, units: Units, worker_units: Units, peer: OpenIdPeer, outside: psycopg.Connection[Any]) -> Stage:
    """A tenant on a plan with everything, its owner at a browser, a program, a directory."""
    address = settings().base_url.replace("http://", "https://")
    made = make_tenant(units, domain=f"{mark()}.example")
    owner = Person(app, address).moved().sign_in(made)
    owner.get(f"/t/{made.slug}/")
    directory, provisioned = directory_of(made, app.test_client(), address)
    program = Program(app.test_client(), address, made, *issue(made))
    ids = {**stock(made, worker_units).ids, **provisioned, "account_id": make_account(made)}
    found = Stage(app, made, owner, program, directory, ids, worker_units, peer, outside)
    with made.unit(Home.ACCOUNT) as unit:
        found.kept["hint"] = scim_tokens.get_token(unit, ids["scim_token_id"]).hint
    return found


def unsafe(app: Flask) -> set[str]:
    """Return the endpoints that answer an unsafe method."""
    return {rule.endpoint for rule in app.url_map.iter_rules() if UNSAFE & set(methods(rule))}


def test_every_unsafe_route_is_driven_or_excused(app: Flask) -> None:
    """A new route needs a request in tests/peers/changes.py or a reason here, and what is gone is taken out."""
    known = unsafe(app)
    assert known - CHANGES.keys() - UNRECORDED.keys() == set()
    assert (CHANGES.keys() | UNRECORDED.keys()) - known == set()
    assert CHANGES.keys() & UNRECORDED.keys() == set()


def test_every_change_is_on_record(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request is accepted and leaves an event of whoever made it, in the log of the tenant that it is about."""
    seen: dict[str, set[Event]] = {}

    def look() -> None:
        seen[request.endpoint or ""] = stage.events()

    hooks = stage.app.before_request_funcs
    monkeypatch.setitem(hooks, None, [look, *hooks.get(None, [])])
    wrong = []
    for endpoint, drive in CHANGES.items():
        stage.actor = stage.tenant = None
        seen.clear()
        answer = drive(stage)
        if endpoint not in seen or answer.status_code >= 400:
            wrong.append((endpoint, answer.status_code, sorted(seen), answer.text[-1500:]))
            continue
        made = {(action, who) for _id, action, who in stage.events() - (set() if stage.tenant else seen[endpoint])}
        actor = stage.actor or default_actor(stage, endpoint)
        if not any(actor in (who, SOMEBODY_NEW) for _action, who in made):
            wrong.append((endpoint, answer.status_code, made, actor))
    assert wrong == []


def default_actor(stage: Stage, endpoint: str) -> UUID:
    """Return who acts where the change names nobody: the program, the directory, or the owner."""
    if endpoint.startswith("api_"):
        return stage.program.key_id
    return stage.directory.token_id if endpoint.startswith("scim.") else user_of(stage.made)
