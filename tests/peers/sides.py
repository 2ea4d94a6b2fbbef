"""Tenants with everything that can enter them, to be asked for each other's things."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.db.units import Home, Units
from app.services import email_domains, plan_requests
from tests.peers.directories import Directory, directory_of
from tests.peers.programs import Program, issue, make_account, sample, stock
from tests.peers.routes import path_of
from tests.peers.tenants import Made
from tests.peers.visitors import Person

FORM = {"status": "accepted", "tool": "text"}


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
    account_id = make_account(made)
    program = Program(app.test_client(), address, made, own_id, secret)
    with made.unit(Home.ACCOUNT) as unit:
        request_id = plan_requests.request_plan(unit, "enterprise").id
        unit.commit()
    directory, provisioned = directory_of(made, app.test_client(), address)
    with made.unit(Home.ACCOUNT) as unit:
        domain_id = email_domains.add_domain(unit, f"{made.slug}.example").id
        unit.commit()
    own = {"account_id": account_id, "domain_id": domain_id, "request_id": request_id}
    ids = {**stock(made, worker_units).ids, **provisioned, **own}
    return Side(made, person, program, directory, ids)


def ask(side: Side, rule: Rule, method: str, slug: str, ids: dict[str, Any]) -> TestResponse:
    """Ask a route as the side's person or program, with the ids given."""
    path = path_of(rule, slug, ids)
    if path.startswith("/t/"):
        return side.person.get(path) if method == "GET" else side.person.post(path, dict(FORM))
    if path.startswith("/scim/"):
        return side.directory.ask(method, path.removeprefix("/scim/v2"), side.directory.sample(method, rule.rule))
    view = side.program.client.application.view_functions[rule.endpoint]
    return side.program.ask(method, path, **sample(getattr(view, "operation", None)))
