"""What scoping costs: a transaction, and a whole request, with tenant context and RLS against without."""

import json
import os
import secrets
import statistics
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from app.core.settings import settings
from app.db.migrate import migrate
from app.db.opening import open_units
from app.db.units import Home, Units
from app.db.urls import sqlalchemy_url
from app.factory import create_app
from app.local import roles
from app.local.postgres import SUPERUSER
from app.local.postgres import start as start_postgres
from app.models.findings import Finding
from app.scanners.probes import Artefact, Fault
from app.services import api_keys, assets, scans
from app.tenancy.context import tenant_scope
from app.tenancy.placements import Isolation, Placement
from tests.plugins.servers import MIGRATED, Database, settings_of
from tests.services.conftest import Made, make_tenant

KEYS = ("SECRET_KEY", "MASTER_KEY", "KEY_PEPPER")
ROUNDS, TURNS = 9, 200
FINDINGS = 1_000
Figure = dict[str, Any]


@contextmanager
def database() -> Iterator[Database]:
    """A migrated database on a Postgres of its own, in the settings of this process."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        passwords = {login: secrets.token_urlsafe(16) for login in (*roles.LOGINS, SUPERUSER)}
        postgres = start_postgres(directory / "pg", passwords, log=directory / "postgres.log", throwaway=True)
        try:
            roles.bootstrap(postgres.superuser_url, passwords)
            made = Database(postgres, MIGRATED)
            migrate(made.owner)
            keys = {name: b64encode(secrets.token_bytes(32)).decode() for name in KEYS}
            os.environ.update(settings_of(made, keys))
            os.environ["LOG_LEVEL"] = "WARNING"
            settings.cache_clear()
            yield made
        finally:
            postgres.kill()


def filled(units: Units) -> Made:
    """A tenant with a thousand findings."""
    tenant = make_tenant(units)
    faults = [Fault(f"rule-{n}", f"Fault {n}", "low", "seen", "Mend it.", f"place {n}") for n in range(FINDINGS)]
    with tenant.unit() as unit:
        asset = assets.add_document(unit, name="Letter", text="text")
        scan = scans.start_scan(unit, asset.id, tool="text")
        unit.commit()
    with tenant.unit() as unit:
        scans.claim_scan(unit, scan.id)
        scans.complete_scan(unit, scan.id, Artefact("text", faults))
        unit.commit()
    return tenant


def figures() -> list[Figure]:
    """Return the ratios: medians of alternating rounds in one run."""
    with database() as made:
        units = open_units(settings(), made.app)
        tenant = filled(units)
        try:
            return [_transaction(made, units, tenant), _request(made, units, tenant)]
        finally:
            units.engines.dispose()


def _transaction(made: Database, units: Units, tenant: Made) -> Figure:
    placement = Placement(tenant.id, Isolation.ROW, "shared", None, 1)
    plain = _plain_engine(made)
    with tenant.unit() as unit:
        wanted = unit.session.scalars(select(Finding.id).limit(1)).one()

    def without() -> None:
        with Session(plain, expire_on_commit=False) as session:
            session.scalars(select(Finding).where(Finding.tenant_id == tenant.id, Finding.id == wanted)).one()
            session.commit()

    def scoped() -> None:
        with tenant_scope(tenant.id), units.open(Home.CONTENT, tenant.actor, placement=placement) as unit:
            unit.session.scalars(select(Finding).where(Finding.id == wanted)).one()
            unit.commit()

    base, ours = alternate(without, scoped)
    plain.dispose()
    return figure("transaction with context and RLS", ours, "ms", base, 1.18)


def _plain_engine(made: Database) -> Any:
    url = sqlalchemy_url(made.superuser)
    return create_engine(url, connect_args={"options": "-c search_path=shared,public"})


def _request(made: Database, units: Units, tenant: Made) -> Figure:
    with tenant.unit(Home.ACCOUNT) as unit:
        issued = api_keys.issue_key(unit, name="bench", scopes=["tenant:findings:read"], pepper=_pepper())
        unit.commit()
    headers = {"X-API-Key": issued.secret}
    scoped = create_app().test_client()
    bare = create_app()
    bare.extensions["sentinel"].units.criterion = False
    unscoped = bare.test_client()

    def ask(client: Any) -> Callable[[], None]:
        def once() -> None:
            answer = client.get("/api/v1/findings?limit=20", headers=headers, base_url=settings().base_url)
            if answer.status_code != 200:
                raise RuntimeError(f"{answer.status_code}: {answer.text[:200]}")

        return once

    turns: dict[str, list[float]] = {"scoped": [], "bare": []}
    for _ in range(ROUNDS):
        turns["scoped"].append(clock(ask(scoped), TURNS // 4))
        with _without_row_security(made):
            turns["bare"].append(clock(ask(unscoped), TURNS // 4))
    base, ours = statistics.median(turns["bare"]), statistics.median(turns["scoped"])
    for app in (scoped.application, bare):
        app.extensions["sentinel"].units.engines.dispose()
    return figure("whole request (20 findings by key) with RLS and criterion", ours, "ms", base, 1.05)


def _pepper() -> bytes:

    return settings().peppers[0]


@contextmanager
def _without_row_security(made: Database) -> Iterator[None]:
    """Switch row-level security off on the content and account tables, and on again."""
    listing = (
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relrowsecurity OR n.nspname IN ('shared', 'account', 'control') AND c.relkind = 'r'"
    )
    with psycopg.connect(made.superuser, autocommit=True) as connection:
        tables = [row[0] for row in connection.execute(listing) if not row[0].endswith("schema_version")]
        for table in tables:
            connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY".encode())
        try:
            yield
        finally:
            for table in tables:
                connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY".encode())


def clock(action: Callable[[], None], turns: int) -> float:
    """Return the mean time of one turn, in milliseconds."""
    began = time.perf_counter()
    for _ in range(turns):
        action()
    return (time.perf_counter() - began) / turns * 1000


def alternate(one: Callable[[], None], other: Callable[[], None]) -> tuple[float, float]:
    """Return the medians of both, measured in turns so that the machine's load meets both alike."""
    clock(one, TURNS), clock(other, TURNS)
    pairs = [(clock(one, TURNS), clock(other, TURNS)) for _ in range(ROUNDS)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def figure(name: str, value: float, unit: str, baseline: float, goal: float) -> Figure:
    """One figure as the table shows it; its goal is the ratio to the baseline."""
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "baseline": round(baseline, 3),
        "ratio": round(value / baseline, 3),
        "goal": goal,
    }


if __name__ == "__main__":
    for one in figures():
        print(json.dumps(one))
