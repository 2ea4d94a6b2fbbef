"""Last use of API keys: who, when, with which secret and scopes, written in batches that no request waits for."""

import base64
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy.exc import OperationalError

from app import cli
from app.core.clock import SetClock
from app.core.crypto import pepper_mark
from app.core.settings import settings
from app.db import key_uses as directory
from app.db.key_uses import KeyCaller, KeyUse
from app.db.units import Doorway, Home, Units
from app.services import audit, entrances, key_secrets
from app.services.key_uses import callers_of, last_uses
from app.serving.key_uses import MOST, KeyUses
from tests.api.conftest import _program as program
from tests.peers.programs import Program
from tests.peers.tenants import ORIGIN, Made
from tests.plugins.servers import Database
from tests.services.test_key_rotations import opens, rotate

__all__ = ["program"]

SCANS = "/api/v1/scans"


def buffer(app: Flask) -> KeyUses:
    """Return what the process keeps of uses."""
    kept: KeyUses = app.extensions["sentinel"].key_uses
    return kept


def callers(made: Made, key_id: UUID) -> list[KeyCaller]:
    """Return who called with a key."""
    with made.unit(Home.ACCOUNT) as unit:
        return callers_of(unit, key_id)


def call(program: Program, agent: str, address: str = "203.0.113.9", secret: str | None = None) -> int:
    """Call with the key from an address as a program."""
    headers = {"X-API-Key": secret or program.secret, "User-Agent": agent}
    return program.get(SCANS, headers=headers, environ_overrides={"REMOTE_ADDR": address}).status_code


def test_a_call_is_seen_as_the_last_use(app: Flask, program: Callable[..., Program]) -> None:
    """Moment, address and program of the newest call are told of a key, once its batch is written."""
    caller = program()
    assert call(caller, "nightly/1.0") == 200
    assert call(caller, "nightly/1.1", "2001:db8::9") == 200
    assert callers(caller.tenant, caller.key_id) == []
    buffer(app).flush()
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        last = last_uses(unit, [caller.key_id])[caller.key_id]
    assert (last.address, last.agent) == ("2001:db8::9", "nightly/1.1")
    assert timedelta(0) <= datetime.now(UTC) - last.last_at < timedelta(minutes=1)
    assert {c.agent for c in callers(caller.tenant, caller.key_id)} == {"nightly/1.0", "nightly/1.1"}


def test_the_batch_is_written_within_seconds(
    app: Flask, program: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to ask for it: a second after the call its use is there."""
    caller = program()
    monkeypatch.setattr(buffer(app), "_seconds", KeyUses(app.extensions["sentinel"].units, b"")._seconds)
    call(caller, "by itself")
    deadline = time.monotonic() + 60
    while not callers(caller.tenant, caller.key_id):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_refused_call_is_no_use(app: Flask, program: Callable[..., Program]) -> None:
    """A call from outside the key's networks leaves no trace of a use."""
    caller = program(networks=["203.0.113.0/24"])
    assert call(caller, "elsewhere", "198.51.100.1") == 403
    buffer(app).flush()
    assert callers(caller.tenant, caller.key_id) == []


def test_who_still_calls_with_the_old_secret(app: Flask, program: Callable[..., Program]) -> None:
    """During an overlap each secret has its own callers."""
    caller = program()
    new = rotate(caller.tenant, caller.key_id)
    call(caller, "moved", secret=new)
    call(caller, "forgotten", "198.51.100.7")
    buffer(app).flush()
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        present, old = key_secrets.secrets_of(unit, caller.key_id)
    found = {(c.secret_id, c.agent, c.address) for c in callers(caller.tenant, caller.key_id)}
    assert found == {(present.id, "moved", "203.0.113.9"), (old.id, "forgotten", "198.51.100.7")}


def test_uses_only_move_forward(units: Units, program: Callable[..., Program]) -> None:
    """A batch that comes late, from another process, does not set a newer use back."""
    caller = program()
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        secret = key_secrets.secrets_of(unit, caller.key_id)[0]
    newer = datetime.now(UTC)
    for at in (newer, newer - timedelta(minutes=5)):
        with units.identify() as door:
            directory.note(door.session, [KeyUse(caller.tenant.id, secret.id, "203.0.113.9", "x", at, ())])
            door.commit()
    assert [c.last_at for c in callers(caller.tenant, caller.key_id)] == [newer]


def test_the_newest_callers_are_kept(units: Units, program: Callable[..., Program]) -> None:
    """Of a key that is called from everywhere the 20 newest callers are known, and no more rows are kept."""
    caller = program()
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        secret = key_secrets.secrets_of(unit, caller.key_id)[0]
    now = datetime.now(UTC)
    uses = [
        KeyUse(caller.tenant.id, secret.id, f"198.51.100.{n}", "x", now - timedelta(minutes=n), ()) for n in range(50)
    ]
    with units.identify() as door:
        directory.note(door.session, uses)
        door.commit()
    assert [c.address for c in callers(caller.tenant, caller.key_id)] == [f"198.51.100.{n}" for n in range(20)]


def test_a_call_waits_for_no_lock(app: Flask, program: Callable[..., Program], postgres_server: Database) -> None:
    """While another transaction holds the rows of a key, of its secrets and of its uses, its calls are answered."""
    caller = program()
    call(caller, "before")
    buffer(app).flush()
    with psycopg.connect(postgres_server.superuser) as held:
        for table in ("account.api_keys", "account.api_key_secrets", "auth.api_keys", "auth.api_key_secrets"):
            held.execute(f"SELECT FROM {table} WHERE tenant_id = %s FOR UPDATE".encode(), [caller.tenant.id])
        held.execute("SELECT FROM auth.key_uses WHERE tenant_id = %s FOR UPDATE", [caller.tenant.id])
        began = time.monotonic()
        assert [call(caller, "before") for _ in range(5)] == [200] * 5
        assert time.monotonic() - began < 30  # the locks are never let go: whoever waits for one is not answered
        held.rollback()


def test_batches_of_many_processes_do_not_deadlock(units: Units, program: Callable[..., Program]) -> None:
    """Eight writers of the same callers in different orders all come through."""
    caller = program()
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        secret = key_secrets.secrets_of(unit, caller.key_id)[0]
    failed: list[Exception] = []

    def write(number: int) -> None:
        for turn in range(10):
            places = sorted(range(30), key=lambda place: (place * 7 + number * 13 + turn) % 31)
            now = datetime.now(UTC)
            uses = [
                KeyUse(caller.tenant.id, secret.id, f"10.0.0.{n}", "x", now, ("tenant:scans:read",)) for n in places
            ]
            try:
                with units.identify() as door:
                    directory.note(door.session, uses)
                    door.commit()
            except OperationalError as error:
                failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_without_a_database_uses_wait(
    app: Flask, program: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that cannot be written is kept and goes with the next one."""
    caller = program()
    call(caller, "patient")

    def down(_self: Doorway) -> None:
        raise OperationalError("down", {}, Exception())

    with monkeypatch.context() as patched:
        patched.setattr(Doorway, "commit", down)
        buffer(app).flush()
    assert callers(caller.tenant, caller.key_id) == []
    buffer(app).flush()
    assert [c.agent for c in callers(caller.tenant, caller.key_id)] == ["patient"]


def test_callers_in_a_batch_are_bounded(units: Units, program: Callable[..., Program]) -> None:
    """A flood of addresses within a second costs a bounded amount of memory."""
    caller = program()
    kept = KeyUses(units, settings().peppers[0], seconds=3600)
    with units.identify() as door:
        found = entrances.find_key(door, caller.secret, peppers=settings().peppers, origin=ORIGIN)
    for number in range(MOST + 5):
        kept.note(found.holder, replace(found.entry.actor, address=f"10.{number}"), frozenset())
    assert len(kept._uses) == MOST
    kept._uses.clear()


def test_scopes_that_were_exercised_are_known(app: Flask, program: Callable[..., Program]) -> None:
    """A scope counts as used by a call that needed it, not by having it, nor by a call that was refused for another."""
    caller = program("tenant:scans:read", "tenant:findings:read")
    call(caller, "x")
    assert caller.get("/api/v1/assets").status_code == 403
    buffer(app).flush()
    with caller.tenant.unit(Home.ACCOUNT) as unit:
        assert directory.scopes_used(unit.session, [caller.key_id]) == {caller.key_id: {"tenant:scans:read"}}


def test_uses_are_told_to_their_tenant_alone(app: Flask, program: Callable[..., Program]) -> None:
    """The real id of another tenant's key tells nothing of its callers or scopes."""
    mine, theirs = program(), program()
    call(theirs, "theirs")
    buffer(app).flush()
    with mine.tenant.unit(Home.ACCOUNT) as unit:
        assert callers_of(unit, theirs.key_id) == []
        assert directory.scopes_used(unit.session, [theirs.key_id]) == {}


def test_a_use_of_another_tenants_secret_is_not_written(units: Units, program: Callable[..., Program]) -> None:
    """A use names tenant and secret; where they do not belong together nothing is written."""
    mine, theirs = program(), program()
    with theirs.tenant.unit(Home.ACCOUNT) as unit:
        secret = key_secrets.secrets_of(unit, theirs.key_id)[0]
    with units.identify() as door:
        directory.note(door.session, [KeyUse(mine.tenant.id, secret.id, "x", "x", datetime.now(UTC), ())])
        door.commit()
    assert callers(theirs.tenant, theirs.key_id) == []


def test_a_user_agent_is_written_as_one_line(app: Flask, program: Callable[..., Program]) -> None:
    """Control characters go, and 200 characters are enough."""
    caller = program()
    call(caller, "a\tb\x7f" + "c" * 500)
    buffer(app).flush()
    (found,) = callers(caller.tenant, caller.key_id)
    assert found.agent == "ab" + "c" * 198


@pytest.fixture
def new_pepper(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Sets a new KEY_PEPPER, the present one as the previous; returns the new one's mark."""

    def change() -> str:
        fresh = secrets.token_bytes(32)
        monkeypatch.setenv("KEY_PEPPER_PREVIOUS", settings().key_pepper.get_secret_value())
        monkeypatch.setenv("KEY_PEPPER", base64.b64encode(fresh).decode())
        settings.cache_clear()
        return pepper_mark(fresh)

    return change


def test_a_pepper_is_changed_under_living_keys(
    units: Units, program: Callable[..., Program], new_pepper: Callable[[], str]
) -> None:
    """With both peppers given a key works on; its use renews the hash, after which the previous one can go."""
    caller = program()
    mark = new_pepper()
    kept = KeyUses(units, settings().peppers[0], seconds=3600)
    with units.identify() as door:
        found = entrances.find_key(door, caller.secret, peppers=settings().peppers, origin=ORIGIN)
    assert found.holder.pepper != mark
    kept.note_secret(found.holder, caller.secret)
    kept.flush()
    with units.identify() as door:
        renewed = entrances.find_key(door, caller.secret, peppers=settings().peppers[:1], origin=ORIGIN)
    assert renewed.holder.pepper == mark and renewed.holder.secret_id == found.holder.secret_id
    kept.note_secret(renewed.holder, caller.secret)
    assert kept._renewed == {}
    with caller.tenant.unit() as unit:
        assert [e.action for e in audit.list_events(unit).rows].count("api_key.rehash") == 1


def test_without_the_previous_pepper_its_keys_open_nothing(
    units: Units, program: Callable[..., Program], new_pepper: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pepper that is taken away takes the keys with it that were hashed under it alone."""
    caller = program()
    assert opens(units, caller.secret)
    new_pepper()
    monkeypatch.delenv("KEY_PEPPER_PREVIOUS")
    settings.cache_clear()
    assert not opens(units, caller.secret)


def test_the_command_counts_secrets_by_pepper(program: Callable[..., Program], new_pepper: Callable[[], str]) -> None:
    """The operator sees how many secrets in force still need the previous pepper."""
    program()
    before = pepper_mark(settings().peppers[0])
    mark = new_pepper()
    program()
    done = CliRunner().invoke(cli.main, ["keys", "peppers"])
    assert done.exit_code == 0, done.output
    told = {words[1]: words[2] for line in done.output.splitlines() if len(words := line.split()) == 3}
    assert (told[before], told[mark]) == ("KEY_PEPPER_PREVIOUS", "KEY_PEPPER")


def test_a_set_clock_tells_the_moment(units: Units, program: Callable[..., Program]) -> None:
    """The moment of a use is the process's clock's, not that of the batch."""
    caller = program()
    then = datetime.now(UTC) - timedelta(days=2)
    ticking, units.clock = units.clock, SetClock(then)
    kept = KeyUses(units, settings().peppers[0], seconds=3600)
    with units.identify() as door:
        found = entrances.find_key(door, caller.secret, peppers=settings().peppers, origin=ORIGIN)
    kept.note(found.holder, found.entry.actor, frozenset())
    units.clock = ticking
    kept.flush()
    assert [c.last_at for c in callers(caller.tenant, caller.key_id)] == [then]
