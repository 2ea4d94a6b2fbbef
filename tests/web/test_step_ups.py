"""Every page that wants a fresh proof: with an old one it does nothing and leads to the confirmation."""

import re
from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from werkzeug.routing import Rule

from tests.peers.visitors import Person
from tests.plugins.servers import Database

# What a stolen session must not do; each is a page whose form asks first, or the form itself.
WANTED = {
    "closures.create",
    "connections.require",
    "connections.save",
    "factors.create",
    "factors.remove",
    "factors.renew_codes",
    "key_rotations.create",
    "keys.create",
    "own_data.delete",
    "own_data.download",
    "passkeys.create",
    "passkeys.remove",
    "people.change_role",
    "people.grant",
    "policies.ask_factor",
}
PLACE = re.compile(r"<[^<>]+>")


@pytest.fixture
def aged(newcomer: Callable[[], Person], postgres_server: Database) -> Person:
    """The owner of a tenant whose last proof is an hour old."""
    made = newcomer().moved().sign_up()
    made.get(made.at("/"))
    with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
        connection.execute(
            "UPDATE auth.sessions SET confirmed_at = confirmed_at - interval '1 hour' "
            "WHERE user_id = (SELECT id FROM auth.users WHERE email = %s)",
            [made.email],
        )
    return made


def confirmed_rules(app: Flask) -> list[Rule]:
    """Return the routes that want a fresh proof."""
    views = app.view_functions
    return [rule for rule in app.url_map.iter_rules() if getattr(views[rule.endpoint], "confirmed", False)]


def test_what_must_be_confirmed_is(app: Flask) -> None:
    """Keys, factors, sign-in settings, roles, the end of account and tenant: none has lost its guard."""
    guarded = {rule.endpoint for rule in confirmed_rules(app)}
    assert WANTED - guarded == set(), sorted(guarded)


def test_an_old_proof_opens_none_of_them(app: Flask, aged: Person) -> None:
    """Each answers with the way to the confirmation, which leads back to a page of this site; nothing is changed."""
    asked = 0
    for rule in confirmed_rules(app):
        path = PLACE.sub(str(UUID(int=1)), rule.rule.replace("<slug>", aged.slug))
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = aged.get(path) if method == "GET" else aged.post(path)
            assert answer.status_code == 303, (rule.endpoint, method, answer.status_code)
            assert answer.location.startswith("/account/confirmation?next=/"), (rule.endpoint, answer.location)
            asked += 1
    assert asked >= len(WANTED)
