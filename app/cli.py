"""The command line: `python -m app.cli COMMAND`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import BinaryIO
from uuid import UUID

import click

from app.core.clock import SetClock
from app.core.crypto import pepper_mark
from app.core.errors import AppError
from app.core.logs import configure_logs
from app.core.permissions import Role, permissions_of
from app.core.settings import Settings, settings
from app.db import directory, key_uses, usage_books
from app.db.opening import open_doorway, open_units, refuse_privileged
from app.db.units import Doorway, Home, Unit, Units
from app.outbox.wakers import Waker
from app.platform import commands
from app.platform.offline import blame, checking, file_and_key
from app.services import (
    accounts,
    audit_verifications,
    demonstrations,
    entrances,
    export_verifications,
    signing_keys,
    usage_counts,
)
from app.services.accounts import Origin, Signup
from app.tenancy.actors import Actor, ActorKind
from app.tenancy.context import tenant_scope

SLUG = "demonstration"
DAYS = 30


@click.group()
def main() -> None:
    """Sentinel's commands."""
    configure_logs("WARNING")


for _command in commands.sentinel.commands.values():
    main.add_command(_command)


@main.command()
def demonstration() -> None:
    """Make the demonstration tenant and fill it; a second time changes nothing."""
    given = settings()
    if not given.demonstration:
        raise click.ClickException("demonstration data exists only where make run itself started Postgres")
    url = given.database_url.get_secret_value()
    waker = Waker(given.database_direct_url.get_secret_value() if given.database_direct_url else url)
    units = open_units(given, url, on_effects=waker.wake, application="sentinel demonstration")
    refuse_privileged(units.engines.control)
    actor = _owner(units, given)
    if actor is None:
        click.echo("the demonstration tenant is there already")
        return
    with _unit(units, actor) as unit:
        if demonstrations.is_filled(unit):
            click.echo("the demonstration data is complete")
            return
        started = demonstrations.start_real_scans(unit, _targets(given))
        unit.commit()
    click.echo(f"{started} scans started")
    _write_history(given, url, actor)
    click.echo(f"{DAYS} days of simulated rows written")


@main.group()
def audit() -> None:
    """The audit log, away from the installation."""


@audit.command()
@file_and_key
@click.option("--head", "heads", multiple=True, help="A last seal's hash that you kept; may be given for each log.")
def verify(file: BinaryIO, key_file: BinaryIO, heads: tuple[str, ...]) -> None:
    """Check a sealed export offline: 0 it is whole, 1 it was tampered with, 2 it cannot be checked."""
    with checking(key_file) as key:
        verdict = audit_verifications.verify(file, key, [head.lower() for head in heads])
    for name, head in verdict.heads.items():
        click.echo(f"{name}: head {head}")
    for name, number in verdict.begins.items():
        click.echo(
            f"{name}: begins after seal {number}: what it and those before it cover was kept long enough, and removed"
        )
    for name in verdict.unchecked:
        click.echo(f"{name}: the tail is unchecked, since its head was not given: later events may be missing")
    blame(verdict.faults)
    click.echo(f"{verdict.events} events under {verdict.seals} seals are whole")


@main.group()
def export() -> None:
    """Exports of everything that a tenant has, away from the installation."""


@export.command("verify")
@file_and_key
def verify_export(file: BinaryIO, key_file: BinaryIO) -> None:
    """Check an export offline: 0 it is whole, 1 something was changed, removed or added, 2 it cannot be checked."""
    with checking(key_file) as key:
        verdict = export_verifications.verify(file, key)
    blame(verdict.faults)
    click.echo(f"tenant {verdict.tenant}, ordered {verdict.at}, graph {verdict.graph}")
    click.echo(f"{verdict.rows} lines in {verdict.files} files are whole")


@main.group()
def tokens() -> None:
    """The keys that sign programs' access tokens."""


@tokens.command("list")
def list_signing_keys() -> None:
    """Show the keys that are published, newest first."""
    with _doorway() as (door, _master_key):
        for key in signing_keys.published(door.session):
            click.echo(
                f"{key.kid}  made {key.created_at:%Y-%m-%d %H:%M}  signs from {key.signs_from:%Y-%m-%d %H:%M} UTC"
            )


@tokens.command()
def rotate() -> None:
    """Publish another key; it signs after ten minutes, when everybody can know it."""
    with _doorway() as (door, master_key):
        added = signing_keys.rotate(door.session, master_key)
        door.commit()
    click.echo("another key is published and signs in ten minutes" if added else "a key waits to sign already")


@tokens.command()
@click.argument("kid", required=False)
@click.option("--all", "every", is_flag=True, help="Revoke all keys.")
def revoke(kid: str | None, every: bool) -> None:
    """In an emergency: refuse what the key KID has signed, from the next request on. Refresh tokens stay in force."""
    if (kid is None) is not every:
        raise click.UsageError("name one key, or --all")
    with _doorway() as (door, master_key):
        revoked = signing_keys.revoke(door.session, kid)
        signing_keys.signer(door.session, master_key)
        door.commit()
    if not revoked:
        raise click.ClickException("no such key is published")
    click.echo(f"{revoked} revoked; another key signs from now on")


@main.group()
def keys() -> None:
    """API keys, over all tenants."""


@keys.command()
def peppers() -> None:
    """Count the secrets in force under each pepper: the previous one can go when none is left under it."""
    given = settings()
    if given.database_worker_url is None:
        raise click.ClickException("DATABASE_WORKER_URL must be set: counting over all tenants is the worker's")
    known = dict(zip(map(pepper_mark, given.peppers), ("KEY_PEPPER", "KEY_PEPPER_PREVIOUS"), strict=False))
    with open_doorway(given, given.database_worker_url.get_secret_value(), application="sentinel keys") as door:
        for mark, secrets in key_uses.count_peppers(door.session):
            click.echo(f"{secrets:>8,}  {mark or 'from before marks'}  {known.get(mark, 'neither of the two')}")


@contextmanager
def _doorway() -> Iterator[tuple[Doorway, bytes]]:
    given = settings()
    with open_doorway(given, given.database_url.get_secret_value(), application="sentinel tokens") as door:
        yield door, given.master


def _targets(given: Settings) -> list[str]:
    return [part.strip() for part in given.demonstration_targets.split(",") if part.strip()]


def _owner(units: Units, given: Settings) -> tuple[Actor, UUID] | None:
    email = os.environ["DEMONSTRATION_EMAIL"]
    password = os.environ["DEMONSTRATION_PASSWORD"]
    origin = Origin(None, "command line", None)
    with units.identify() as door:
        if directory.slug_taken(door.session, SLUG):
            signed_in = accounts.sign_in(door, email, password, origin=origin)
            if isinstance(signed_in, accounts.PendingSignIn):
                return None
            visitor = entrances.by_session(door, signed_in.token, SLUG)
            accounts.sign_out(door, signed_in.token)
            door.commit()
            if visitor is None or visitor.tenant is None:
                return None
            permissions = frozenset(str(p) for p in permissions_of(Role.OWNER))
            return Actor(ActorKind.USER, visitor.user_id, visitor.email, permissions), visitor.tenant.id
    with units.identify() as door:
        signup = Signup("Demonstration GmbH", SLUG, "Dana Demo", email, password)
        try:
            unit = accounts.sign_up(
                door,
                signup,
                master_key=given.master,
                origin=origin,
                verified=True,
            )
        except AppError as error:
            raise click.ClickException(f"{error.detail} {error.fields}") from error
        unit.commit()
        return unit.actor, unit.tenant_id


@contextmanager
def _unit(units: Units, owner: tuple[Actor, UUID]) -> Iterator[Unit]:
    actor, tenant_id = owner
    with tenant_scope(tenant_id), units.open(Home.CONTENT, actor) as unit:
        yield unit


def _write_history(given: Settings, url: str, owner: tuple[Actor, UUID]) -> None:
    """Write the older rows in one commit, a day at a time, with the clock set back."""
    clock = SetClock(datetime.now(UTC).replace(hour=9, minute=20, second=0, microsecond=0) - timedelta(days=DAYS))
    units = open_units(given, url, clock=clock, application="sentinel demonstration")
    with _unit(units, owner) as unit:
        hosts = demonstrations.add_hosts(unit)
        for day in range(1, DAYS):
            clock.advance(timedelta(days=1))
            demonstrations.write_day(unit, hosts, seed=day)
        usage_counts.recount(unit, clock.now() - timedelta(days=DAYS), clock.now() + timedelta(days=1))
        demonstrations.count_month(unit)
        usage_books.open_book(unit.at_home(Home.ACCOUNT).session)
        unit.commit()
    units.engines.dispose()


if __name__ == "__main__":
    main()
