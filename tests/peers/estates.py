"""Tenants with everything that a tenant can have: by services, console, API and a real worker; the rest is planted."""

import secrets
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from flask import Flask
from psycopg.rows import dict_row, namedtuple_row

from app.core.permissions import Role
from app.db import failures
from app.db.units import Home, Units
from app.services import assets, checkpoints, invitations, plan_requests, scans
from tests.peers import rows
from tests.peers.directories import directory_of
from tests.peers.erasures import BEHIND, plant_entry
from tests.peers.members import make_member
from tests.peers.programs import Program, issue, make_account, stock
from tests.peers.rows import Planted
from tests.peers.tenants import Made, make_tenant
from tests.peers.visitors import Person
from tests.plugins.servers import Database

MANY = 30_000


@dataclass
class Estate:
    """A tenant, its name, the addresses and names of those who belong to no other, and of those who never came."""

    made: Made
    company: str
    people: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    guests: list[str] = field(default_factory=list)

    @property
    def id(self) -> UUID:
        """The tenant's id."""
        return self.made.id


def found_estate(app: Flask, address: str, worker_units: Units) -> Estate:
    """Sign a company up, and let its people, keys, programs and provider do what they do."""
    units = app.extensions["sentinel"].units
    company = f"Quince {secrets.token_hex(5)} GmbH"
    made = make_tenant(units, company, domain=f"{secrets.token_hex(4)}.example")
    estate = Estate(made, company, [made.email])
    client = app.test_client()
    stock(made, worker_units)
    directory, _ids = directory_of(made, client, address)
    estate.people.append(directory.at("ada"))
    for role in (Role.OWNER, Role.ADMIN, Role.AUDITOR):
        estate.names.append(f"Member {secrets.token_hex(5)}")
        estate.people.append(make_member(made, role, estate.names[-1]).email)
    account = make_account(made)
    for given in ({}, {"account_id": account}):
        program = Program(client, address, made, *issue(made, **given))
        assert [program.get(f"/api/v1/{what}").status_code for what in ("scans", "findings", "assets")] == [200] * 3
    _act(estate)
    owner = Person(app, address)
    owner.get("/login")
    assert owner.post("/login", {"email": made.email, "password": made.password}).status_code == 303
    assert owner.get(f"/t/{made.slug}/").status_code in (200, 303)
    with units.identify() as door:
        failures.note_failure(door.session, made.email, "192.0.2.1", "tests")
        door.commit()
    app.extensions["sentinel"].call_counts.flush()
    app.extensions["sentinel"].key_uses.flush()
    return estate


def _act(estate: Estate) -> None:
    invited = f"guest-{secrets.token_hex(4)}@example.com"
    with estate.made.unit(Home.ACCOUNT) as unit:
        invitations.invite(unit, invited, Role.VIEWER)
        checkpoints.ask(unit)
        unit.commit()
    with estate.made.unit(Home.ACCOUNT) as unit:
        plan_requests.request_plan(unit, "custom", note="more of everything")
        unit.commit()
    estate.guests.append(invited)


def enlarge(database: Database, estate: Estate) -> None:
    """Add so many calls that their erasure takes a while."""
    with psycopg.connect(database.superuser) as connection:
        connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(estate.id)])
        connection.execute(
            "CREATE TEMP TABLE many AS SELECT c.* FROM generate_series(1, %s), "
            "(SELECT * FROM shared.api_calls WHERE tenant_id = %s LIMIT 1) c",
            [MANY, estate.id],
        )
        connection.execute("UPDATE many SET id = gen_random_uuid()")
        connection.execute("INSERT INTO shared.api_calls SELECT * FROM many")


def accept_scans(estate: Estate, count: int = 3) -> list[UUID]:
    """Have documents scanned by whichever worker there is."""
    with estate.made.unit() as unit:
        made = []
        for _ in range(count):
            text = f"My card is 4532-1234-5678-9010, {secrets.token_hex(4)}"
            made.append(scans.start_scan(unit, assets.add_document(unit, name="Letter", text=text).id, tool="text").id)
        unit.commit()
    return made


def complete(database: Database, estate: Estate, *, directory: bool) -> None:
    """Plant a row wherever the tenant has none yet; with `directory` in the tables beside the homes, too."""
    with psycopg.connect(database.superuser, row_factory=dict_row) as seen:
        planted = Planted(estate.id, _first_rows(seen, estate.id))
    with psycopg.connect(database.worker) as connection:
        connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(estate.id)])
        for shape in rows.shapes(database.superuser):
            if shape.name not in planted.rows:
                planted.rows[shape.name] = rows.values(shape, estate.id, planted.rows)
                rows.insert(connection, shape.name, planted.rows[shape.name])
    if directory:
        with psycopg.connect(database.superuser, row_factory=dict_row) as seen:
            planted.rows |= _first_rows(seen, estate.id)
            own = seen.execute("SELECT * FROM auth.users WHERE id = %s", [estate.made.actor.id])
            planted.rows["auth.users"] = own.fetchone()
        with psycopg.connect(database.superuser, row_factory=namedtuple_row) as connection:
            ties = _ties(connection)
            for name in sorted(ties, key=lambda each: (each not in BEHIND, each)):
                if name not in planted.rows:
                    plant_entry(connection, name, ties[name], planted)


def _ties(connection: psycopg.Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, column in connection.execute("SELECT 'auth.' || name, of_column FROM auth.directory_ties()").fetchall():
        found.setdefault(name, []).append(column)
    return found


def _first_rows(seen: psycopg.Connection, tenant_id: UUID) -> dict[str, dict]:
    """Return a row of each table that has one of the tenant's."""
    found = {}
    for table in seen.execute(
        "SELECT DISTINCT format('%I.%I', n.nspname, c.relname) AS name, a.attname AS of_column FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relkind = 'r' AND n.nspname IN ('auth', 'control', 'account', 'shared') AND a.attnum > 0 "
        "AND (a.attname = 'tenant_id' OR (n.nspname = 'control' AND c.relname = 'tenants' AND a.attname = 'id'))"
    ).fetchall():
        row = seen.execute(
            f"SELECT * FROM {table['name']} WHERE {table['of_column']} = %s LIMIT 1".encode(), [tenant_id]
        ).fetchone()
        if row is not None:
            found[table["name"]] = row
    return found
